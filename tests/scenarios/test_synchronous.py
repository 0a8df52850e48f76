"""Synchronous replication: the primary's commits go on while a replica is fenced, or nobody is fenced.

What the operator makes of `spec.postgresql.synchronous` is set here by hand, as CloudNativePG was observed to
set it: every instance is named, the primary too.
"""

from collections.abc import Iterator
from threading import Event, Thread

import pytest

from tests.lab.apiserver import EDB_CLUSTERS
from tests.scenarios.protected import ELECTED, OTHER, PRIMARY, Protected, told

pytestmark = pytest.mark.lab


def replicate_synchronously(cluster: Protected, number: int) -> None:
    """Every commit waits for that many standbys, whoever they are (`dataDurability: required`)."""

    def specify(manifest: dict[str, dict[str, object]]) -> None:
        manifest["spec"]["postgresql"] = {"synchronous": {"method": "any", "number": number}}

    cluster.lab.store.update(EDB_CLUSTERS, cluster.namespace, cluster.name, specify)
    primary = cluster.lab.server(cluster.namespace, PRIMARY)
    names = ", ".join(f'"{name}"' for name in (PRIMARY, ELECTED, OTHER))
    primary.sql(f"ALTER SYSTEM SET synchronous_standby_names = 'ANY {number} ({names})'")
    primary.sql("SELECT pg_reload_conf()")
    cluster.lab.wait_for(
        "the standbys to be synchronous",
        lambda: primary.sql("SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'quorum'") == [(2,)],
    )


@pytest.fixture
def commits(protected: Protected) -> Iterator[list[int]]:
    """Rows that a client has committed, one after the other, each acknowledged by a standby."""
    primary = protected.lab.server(protected.namespace, PRIMARY)
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


def test_commits_go_on_through_the_whole_cycle(protected: Protected, commits: list[int]) -> None:
    replicate_synchronously(protected, 1)
    while_fenced: list[int] = []

    def wait_for_a_commit(claims: list[dict[str, object]]) -> list[dict[str, object]]:
        """Kasten's discovery follows the fence: the elected instance stands."""
        assert not protected.running(ELECTED)
        before = len(commits)
        protected.lab.wait_for("a commit during the fence", lambda: len(commits) > before + 1)
        while_fenced.extend(commits[before:])
        return claims

    action = protected.back_up(choose=wait_for_a_commit)
    assert action.restore_point is not None, action.error
    assert while_fenced


def test_refused_where_commits_would_stall(protected: Protected, commits: list[int]) -> None:
    replicate_synchronously(protected, 2)
    done = protected.fence()
    assert done.returncode == 3, done.stderr
    assert "must not stall" in told(done)["expected"] + told(done)["found"]
    assert protected.running(ELECTED)
    assert protected.fenced == []
    before = len(commits)
    protected.lab.wait_for("a commit after the refusal", lambda: len(commits) > before)
