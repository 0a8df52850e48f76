"""pg_amcheck must never call a function of somebody else, however it came to lie beside those of amcheck."""

from collections.abc import Callable, Iterator

import psycopg
import pytest

from kanfunc.domain.examination import Examination, ExaminationLimits
from kanfunc.domain.soundness import may_run_amcheck
from tests.builders import REF
from tests.hostile.conftest import a_server
from tests.hostile.pod import POD, Pod, pod_of
from tests.lab.postgres import Server
from tests.lab.workspace import Workspace

pytestmark = pytest.mark.lab

LIMITS = ExaminationLimits(seconds=60)
INSTALLING = ExaminationLimits(seconds=60, install_amcheck=True)


@pytest.fixture(params=[15, 18])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """Where `app` owns a database into whose schema `public` amcheck was once installed."""
    with Workspace.open() as workspace:
        found = a_server(workspace, request.param)
        found.sql("create extension amcheck", dbname="app")
        yield found


@pytest.fixture
def pod(server: Server) -> Iterator[Pod]:
    with pod_of(server) as found:
        yield found


def plant(server: Server) -> None:
    """What fits the call of pg_amcheck better than amcheck's own. A read-only session can run a program."""
    program = f"touch {server.volume / 'was-here'}"
    for more in ("", ", checkunique boolean"):
        server.sql(
            f"create function public.bt_index_check(index oid, heapallindexed boolean{more}) returns void "
            "language plpgsql as $$ begin if (select rolsuper from pg_roles where rolname = current_user) "
            f"then copy (select 1) to program '{program}'; end if; end $$",
            dbname="app",
            user="app",
        )


def owner(server: Server, statement: str) -> None:
    server.sql(statement, user="app")


def nothing() -> None:
    pass


def examine(
    server: Server, pod: Pod, limits: ExaminationLimits, between: Callable[[], None] = nothing
) -> Examination:
    """As depth structure does it. between: what somebody does after we have prepared, before we look."""
    obstacles = pod.structure.prepare(REF, POD, limits)
    [(version,)] = server.sql("show server_version")
    between()
    run = Examination()
    amcheck = may_run_amcheck(version, obstacles)
    with pod.structure.examining(REF, POD, limits, amcheck=amcheck) as follow:
        follow(run.read)
    return run


def ran(server: Server) -> bool:
    return (server.volume / "was-here").exists()


def test_a_database_that_opens_after_we_have_prepared(server: Server, pod: Pod) -> None:
    plant(server)
    owner(server, "alter database app allow_connections false")
    examine(server, pod, LIMITS, lambda: owner(server, "alter database app allow_connections true"))
    assert not ran(server)


def test_a_database_that_comes_after_we_have_prepared(server: Server, pod: Pod) -> None:
    plant(server)
    server.sql("alter role app createdb")
    owner(server, "alter database app allow_connections false")
    examine(server, pod, LIMITS, lambda: owner(server, "create database late template app"))
    assert not ran(server)


def test_functions_that_were_there_before_their_schema_was_closed(server: Server, pod: Pod) -> None:
    """As it was advised for PostgreSQL 14 and older."""
    plant(server)
    server.sql("alter schema public owner to postgres", dbname="app")
    server.sql("revoke create on schema public from public", dbname="app")
    examine(server, pod, LIMITS)
    assert not ran(server)


@pytest.mark.parametrize("name", ["app\n", "\n", "template1\n\n"], ids=repr)
def test_a_database_whose_name_ends_with_a_newline(server: Server, pod: Pod, name: str) -> None:
    """A shell's substitution takes it away: another database would be looked at."""
    plant(server)
    server.sql("alter role app createdb")
    owner(server, f'create database "{name}" template app')
    examine(server, pod, INSTALLING)
    assert not ran(server)


def test_every_database_is_surveyed_under_its_own_name(server: Server, pod: Pod) -> None:
    for name in ("\n", "app\n", "a=b\n\n", "123\n", "-U x"):
        server.sql(f'create database "{name}"')
    with pytest.raises(psycopg.errors.DuplicateDatabase):
        server.sql('create database "app\n"')
    names = sorted(each.name for each in pod.survey().databases)
    assert names == sorted(["app", "postgres", "template1", "\n", "app\n", "a=b\n\n", "123\n", "-U x"])
    assert [each.failure for each in pod.survey().databases if each.failure] == []


def test_all_of_it_is_looked_at_where_nobody_attacks(server: Server, pod: Pod) -> None:
    for name in ("a=b 'c' \\ \"d\"\n", "odd"):
        server.sql("create database " + '"' + name.replace('"', '""') + '"')
    run = examine(server, pod, INSTALLING)
    assert (run.exit_code, run.troubles.first, run.complaints.first) == (0, [], [])
    assert run.relations > 4 * 250
    assert run.progress is not None
    assert run.progress.done == run.progress.total
