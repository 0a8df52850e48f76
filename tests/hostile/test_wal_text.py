"""What users write into the log must not look like records of pg_waldump. No right is needed for that."""

import time
from collections.abc import Iterator

import psycopg
import pytest

from kanfunc.domain.coldness import end_of_wal
from kanfunc.domain.lsn import Lsn
from tests.builders import REF, proof
from tests.hostile.pod import POD, pod_of
from tests.lab.test_postgres import Site
from tests.lab.workspace import Workspace

pytestmark = pytest.mark.lab

FAKE = "rmgr: Heap len (rec/tot): 54/ 54, tx: 999, lsn: 0/0F000028, prev 0/0E000028, desc: x"


@pytest.fixture
def site() -> Iterator[Site]:
    with Workspace.open() as workspace:
        yield Site(workspace)


@pytest.mark.parametrize("prefix", [rf"x\n{FAKE}", r"x\n", rf"x\n{FAKE}\n{FAKE}\n"])
def test_the_end_of_wal_of_a_stopped_replica(site: Site, prefix: str) -> None:
    replica = site.replica("pg-2")
    site.primary.sql("checkpoint")
    replica.sql("select pg_wal_replay_pause()")  # as a conflict with somebody's query delays it
    site.primary.sql(f"select pg_logical_emit_message(false, E'{prefix}', '')", user="app", dbname="app")
    [(written,)] = site.primary.sql("select pg_current_wal_insert_lsn()::text")
    deadline = time.monotonic() + 20
    while replica.sql("select pg_last_wal_receive_lsn() >= %s::pg_lsn", written) != [(True,)]:
        assert time.monotonic() < deadline
    replica.stop()
    with pod_of(replica) as pod:
        stopped = pod.instances.await_stopped(REF, POD, 30)
    assert end_of_wal(stopped.control, stopped.wal) == Lsn.parse(written)


def test_the_first_commit_after_a_fence(site: Site) -> None:
    """Where transactions can be prepared, their names stand in the log, too."""
    site.primary.stop()
    site.primary.configure(parameters={"max_prepared_transactions": "5"})
    site.primary.start(standby=False)
    site.primary.sql("checkpoint")
    [(start,)] = site.primary.sql("select redo_lsn::text from pg_control_checkpoint()")
    name = r"x\nrmgr: Transaction desc: COMMIT 2099-01-01 00:00:00.000000 UTC; "
    with psycopg.connect(
        host=site.primary.environment()["PGHOST"],
        port=site.primary.port,
        user="app",
        dbname="app",
        autocommit=True,
    ) as user:
        for statement in ("begin", "create table public.t ()", f"prepare transaction E'{name}'"):
            user.execute(statement)
        user.execute(f"commit prepared E'{name}'")
    told = proof(timeline=1, shutdown_checkpoint=Lsn.parse(start))
    with pod_of(site.primary) as pod:
        at = pod.instances.resumption(REF, POD, told).at
    assert at is None, "somebody's text stands before the first commit: nothing is known of it"
