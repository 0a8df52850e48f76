"""Annotations hold 256 kB: enough for tens of thousands of entries, and of commands that are late."""

from dataclasses import replace
from datetime import timedelta
from time import process_time

import pytest

from kanfunc.domain.codec import encode
from kanfunc.domain.flavour import RECORD_ANNOTATION
from kanfunc.domain.overview import overview
from kanfunc.domain.record import Late, State
from kanfunc.domain.world import World
from tests.builders import NOW, cluster, record


@pytest.mark.parametrize("entries", [["pg-9"] * 18_000, ["b"] * 30_000, [f"{n}" for n in range(15_000)]])
def test_they_cost_a_moment(entries: list[str]) -> None:
    late = tuple(Late(instance=f"{number}", until=NOW + timedelta(days=1)) for number in range(2_000))
    long = record(State.FENCED).but(late=late)
    there = cluster()
    annotations = {RECORD_ANNOTATION: encode(long), there.flavour.fenced_instances: encode(entries)}
    there = replace(there, annotations=annotations)
    begin = process_time()
    long.owned_entries(there)
    overview(World(there, (), (), ()))
    assert process_time() - begin < 2
