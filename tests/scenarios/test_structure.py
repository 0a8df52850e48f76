"""verify-restore --depth structure, as a process: what it needs, how it ends, and what it leaves."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest

from tests.lab.lab import Lab
from tests.lab.postgres import Server
from tests.scenarios.protected import ELECTED, Protected, told
from tests.scenarios.test_verify_restore import report_of

pytestmark = pytest.mark.lab

AMCHECK, LOST = "tables and b-trees (amcheck)", "lost pages"


@pytest.fixture(scope="module")
def restored(shared_lab: Lab) -> Iterator[Protected]:
    shared_lab.create_cluster("structure")
    cluster = Protected(shared_lab, "structure")
    cluster.restored(cluster.proven_export())
    cluster.await_healthy()
    yield cluster
    cluster.delete_namespace()


def connections(server: Server) -> list[str]:
    query = "select application_name from pg_stat_activity where application_name like 'kanfunc-%'"
    return [name for (name,) in server.sql(query)]


@contextmanager
def session(server: Server) -> Iterator[psycopg.Connection]:
    with psycopg.connect(
        host=server.environment()["PGHOST"], port=server.port, user="postgres", dbname="app"
    ) as opened:
        yield opened


LOCK = "lock table small in access exclusive mode"


def statuses(report: dict[str, object]) -> dict[str, str]:
    findings = report["findings"]
    assert isinstance(findings, list)
    return {finding["check"]: finding["status"] for finding in findings}


REFUSING = """
create function refuse() returns event_trigger language plpgsql as $$ begin raise 'no DDL here'; end $$;
create event trigger refusing on ddl_command_start execute function refuse();
"""


def extensions(server: Server) -> set[str]:
    return {name for (name,) in server.sql("select extname from pg_extension", dbname="app")} - {"plpgsql"}


def test_extensions_are_installed_only_when_asked_for(restored: Protected) -> None:
    """Lost pages are looked for all the same, also where an event trigger refuses extensions."""
    server = restored.lab.server(restored.namespace, ELECTED)
    server.sql(REFUSING, dbname="app")
    done = restored.verify("--depth", "structure")
    server.sql("drop event trigger refusing", dbname="app")
    assert done.returncode == 2, done.stderr
    found = statuses(report_of(done))
    assert (found[AMCHECK], found[LOST]) == ("not checked", "passed")
    assert "--install-amcheck" in told(done)["found"]
    assert extensions(server) == set()

    done = restored.verify("--depth", "structure", "--install-amcheck", "--jobs", "1")
    assert done.returncode == 0, done.stderr + done.stdout
    assert {statuses(report_of(done))[check] for check in (AMCHECK, LOST)} == {"passed"}
    assert '"step":"structure progress"' in done.stderr
    assert connections(server) == []
    assert extensions(server) == {"amcheck", "pg_visibility"}


BESIDE = """
set role app; create function public.verify_heapam(relation oid, on_error_stop boolean, check_toast boolean,
  skip text, out blkno bigint, out offnum integer, out attnum integer, out msg text) returns setof record
language plpgsql as $$ begin execute 'alter role app superuser'; end $$
"""


def test_amcheck_beside_functions_of_others_is_not_run(restored: Protected) -> None:
    """Where anybody installs it who names no schema: pg_amcheck would call the better fit as superuser."""
    server = restored.lab.server(restored.namespace, ELECTED)
    for extension in ("amcheck", "pg_visibility"):
        server.sql(f"drop extension if exists {extension}", dbname="app")
        server.sql(f"create extension {extension}", dbname="app")
    server.sql(BESIDE, dbname="app")
    done = restored.verify("--depth", "structure")
    assert done.returncode == 2, done.stderr
    found = statuses(report_of(done))
    assert (found[AMCHECK], found[LOST]) == ("not checked", "passed")
    assert "SET SCHEMA pg_catalog" in told(done)["found"]

    done = restored.verify("--depth", "structure", "--install-amcheck")
    assert done.returncode == 0, done.stderr
    assert schemas(server) == {"pg_catalog"}
    assert server.sql("select rolname from pg_roles where rolsuper") == [("postgres",)]


def schemas(server: Server) -> set[str]:
    query = "select extnamespace::regnamespace::text from pg_extension where extname <> 'plpgsql'"
    return {name for (name,) in server.sql(query, dbname="app")}


ALWAYS = """
create function take_over() returns event_trigger language plpgsql as $$ begin raise 'mine now'; end $$;
create event trigger mine on ddl_command_start execute function take_over();
alter event trigger mine enable always
"""


def test_an_event_trigger_that_cannot_be_kept_quiet_is_named(restored: Protected) -> None:
    server = restored.lab.server(restored.namespace, ELECTED)
    [(version,)] = server.sql("show server_version_num")
    server.sql("drop extension if exists amcheck", dbname="app")
    server.sql("drop extension if exists pg_visibility", dbname="app")
    server.sql(ALWAYS, dbname="app")
    done = restored.verify("--depth", "structure", "--install-amcheck")
    server.sql("drop event trigger mine", dbname="app")
    found = {each["check"]: each for each in report_of(done)["findings"]}
    if int(version) >= 170000:
        assert done.returncode == 0, done.stderr
    else:
        assert done.returncode == 2, done.stderr
        for check in (AMCHECK, LOST):
            assert found[check]["status"] == "not checked"
            assert "event trigger mine" in found[check]["found"]


def test_it_ends_at_its_time_limit(restored: Protected) -> None:
    server = restored.lab.server(restored.namespace, ELECTED)
    server.sql("create table if not exists small ()", dbname="app")
    with session(server) as migration:
        migration.execute(LOCK)
        done = restored.verify("--depth", "structure", "--structure-timeout", "3")
        assert done.returncode == 2, done.stderr
        assert statuses(report_of(done))["structure"] == "not checked"
        assert "did not end within 3 s" in told(done)["found"]
        restored.lab.wait_for("our connections to end", lambda: not connections(server))


def test_terminated_it_leaves_nothing_running(restored: Protected) -> None:
    """Neither of the survey, which waits for the locked table, nor of the examination beside it."""
    server = restored.lab.server(restored.namespace, ELECTED)
    server.sql("create extension if not exists amcheck schema pg_catalog", dbname="app")
    server.sql("create table if not exists small ()", dbname="app")
    command = ("verify-restore", "-n", restored.namespace, "--depth", "structure")
    with session(server) as migration:
        migration.execute(LOCK)
        with restored.lab.start_kanfunc(*command) as process:
            restored.lab.wait_for("both to wait", lambda: waiting(server) == 2)
            process.send_signal(signal.SIGTERM)
            _, stderr = process.communicate(timeout=30)
        assert process.returncode == 1, stderr
        assert "SIGTERM" in stderr
        assert connections(server) == []


def waiting(server: Server) -> int:
    """How many runs wait for a lock."""
    [(runs,)] = server.sql(
        "select count(distinct application_name) from pg_stat_activity"
        " where application_name like 'kanfunc-%' and wait_event_type = 'Lock'"
    )
    return int(runs)
