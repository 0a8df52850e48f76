"""Synchronous replication: the primary's commits go on while a replica is fenced, or nobody is fenced."""

from collections.abc import Iterator
from threading import Event, Thread

import pytest

from tests.lab.lab import Lab
from tests.scenarios.protected import ELECTED, PRIMARY, Protected, told

pytestmark = pytest.mark.lab


@pytest.fixture
def synchronous(lab: Lab, request: pytest.FixtureRequest) -> Iterator[Protected]:
    """A cluster whose commits wait for that many standbys, whoever they are (`dataDurability: required`)."""
    lab.create_cluster("synchronous", synchronous=request.param)
    cluster = Protected(lab, "synchronous")
    primary = lab.server("synchronous", PRIMARY)
    quorum = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'quorum'"
    lab.wait_for("the standbys to be synchronous", lambda: primary.sql(quorum) == [(2,)])
    yield cluster
    cluster.delete_namespace()


@pytest.fixture
def commits(synchronous: Protected) -> Iterator[list[int]]:
    """Rows that a client has committed, one after the other, each acknowledged by a standby."""
    primary = synchronous.lab.server(synchronous.namespace, PRIMARY)
    primary.sql("CREATE TABLE commits(number int)")
    acknowledged: list[int] = []
    stop = Event()

    def write() -> None:
        while not stop.is_set():
            primary.sql("INSERT INTO commits VALUES (%s)", len(acknowledged))
            acknowledged.append(len(acknowledged))

    client = Thread(target=write)
    client.start()
    yield acknowledged
    stop.set()
    client.join()


@pytest.mark.parametrize("synchronous", [1], indirect=True)
def test_commits_go_on_through_the_whole_cycle(synchronous: Protected, commits: list[int]) -> None:
    while_fenced: list[int] = []

    def wait_for_a_commit(claims: list[dict[str, object]]) -> list[dict[str, object]]:
        """Kasten's discovery follows the fence: the elected instance stands."""
        assert not synchronous.running(ELECTED)
        before = len(commits)
        synchronous.lab.wait_for("a commit during the fence", lambda: len(commits) > before + 1)
        while_fenced.extend(commits[before:])
        return claims

    action = synchronous.back_up(choose=wait_for_a_commit)
    assert action.restore_point is not None, action.error
    assert while_fenced


@pytest.mark.parametrize("synchronous", [2], indirect=True)
def test_refused_where_commits_would_stall(synchronous: Protected, commits: list[int]) -> None:
    done = synchronous.fence()
    assert done.returncode == 3, done.stderr
    assert "must not stall" in told(done)["expected"] + told(done)["found"]
    assert synchronous.running(ELECTED)
    assert synchronous.fenced == []
    before = len(commits)
    synchronous.lab.wait_for("a commit after the refusal", lambda: len(commits) > before)
