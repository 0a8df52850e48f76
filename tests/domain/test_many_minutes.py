"""A policy may name as many minutes as fit into an object: there are sixty."""

from time import process_time

import pytest

from kanfunc.domain.kasten import PolicySpec, SubFrequency
from kanfunc.domain.schedule import policy_minutes


@pytest.mark.timeout(60)
def test_there_are_sixty_minutes_in_an_hour() -> None:
    sub = SubFrequency(minutes=tuple(range(5_000)), hours=tuple(range(-5_000, 5_000)))
    begin = process_time()
    assert policy_minutes(PolicySpec(frequency="@daily", sub_frequency=sub)) == frozenset(range(24 * 60))
    assert process_time() - begin < 1
