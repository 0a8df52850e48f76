"""A table that is renamed while we look must not be passed over."""

from collections.abc import Iterator
from threading import Thread

import psycopg
import pytest

from tests.hostile.conftest import a_server
from tests.hostile.odd import PAGE
from tests.hostile.pod import Examined, pod_of
from tests.lab.postgres import Server
from tests.lab.workspace import Workspace

pytestmark = pytest.mark.lab

WAITING = "select count(*) from pg_locks where not granted and relation = 'public.large'::regclass"


@pytest.fixture
def server() -> Iterator[Server]:
    """In which `lost` has lost a page, and `large` is looked at before it."""
    with Workspace.open() as workspace:
        found = a_server(workspace, 15)
        for name, rows in (("large", 20_000), ("lost", 2_000)):
            for statement in (
                f"create table {name} (filler text) with (autovacuum_enabled = off)",
                f"insert into {name} select repeat('x', 600) from generate_series(1, {rows})",
                f"vacuum {name}",
            ):
                found.sql(statement, dbname="app", user="app")
        [(path,)] = found.sql("select pg_relation_filepath('lost')", dbname="app")
        found.stop()
        with (found.pgdata / path).open("r+b") as file:
            file.seek(5 * PAGE)
            file.write(bytes(PAGE))
        found.start(standby=False)
        yield found


def test_a_table_that_is_renamed_meanwhile(server: Server) -> None:
    looked: list[Examined] = []
    with (
        pod_of(server) as pod,
        psycopg.connect(
            host=server.environment()["PGHOST"], port=server.port, user="app", dbname="app"
        ) as owner,
    ):
        owner.execute("lock table public.large in access exclusive mode")
        looking = Thread(target=lambda: looked.append(pod.examine()))
        looking.start()
        try:
            while server.sql(WAITING, dbname="app") == [(0,)]:
                assert looking.is_alive()
            server.sql("alter table public.lost rename to other", dbname="app")
        finally:
            owner.rollback()
            looking.join()
    assert "has lost 1 pages" in str(looked[0].run.differing)
