"""A single instance whose Cluster allows the outage: its primary is stopped, and proven."""

import pytest

from tests.lab.operator.names import EDB
from tests.scenarios.protected import PRIMARY, Protected, told

pytestmark = pytest.mark.lab


def test_lone_primary_goes_through_the_whole_cycle(alone: Protected) -> None:
    alone.annotate(EDB.cold_primary, None)
    assert alone.fence().returncode == 3
    assert alone.running(PRIMARY)
    alone.annotate(EDB.cold_primary, "enabled")
    alone.await_elected(PRIMARY)
    source = alone.proven_export()
    assert alone.running(PRIMARY)
    assert alone.marks(PRIMARY) == []

    restored = alone.restored(source)
    proven = restored.verify()
    assert proven.returncode == 0, proven.stdout
    assert "the shutdown checkpoint at" in proven.stdout
    assert "resumed in this restore: first commit at" in proven.stdout
    again = restored.verify()
    assert again.returncode == 0
    assert "proven on" in again.stdout


def test_hot_copy_of_a_primary_with_an_old_mark_is_found_out(alone: Protected) -> None:
    alone.await_elected(PRIMARY)
    source = alone.proven_export()
    first = alone.restored(source)
    first.await_healthy()  # not verified: the mark stays on its volume, and the primary runs on
    assert first.marks(PRIMARY)
    first.lab.server(first.namespace, PRIMARY).sql("CREATE TABLE later()")
    first.await_next_second()
    second = first.restored(first.hot_export())
    done = second.verify()
    assert done.returncode == 2
    assert "the mark is an old one" in told(done)["found"]
