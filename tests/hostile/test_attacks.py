"""The attacks by which the owner of a database became superuser, each by itself."""

from collections.abc import Iterator
from contextlib import suppress

import pytest

from kanfunc.domain.errors import KanfuncError
from tests.hostile.conftest import a_server, binaries_of
from tests.hostile.pod import Pod, pod_of
from tests.lab.lab import Lab
from tests.lab.postgres import Server
from tests.lab.workspace import Workspace
from tests.scenarios.protected import Protected

pytestmark = pytest.mark.lab

TAKE_OVER = (
    "if (select rolsuper from pg_roles where rolname = current_user) then alter role app superuser; end if"
)
FORMAT = f"""create function {{schema}}.format(text, name, name) returns text language plpgsql as
 $$ begin {TAKE_OVER}; return pg_catalog.format($1, $2, $3); end $$"""


@pytest.fixture(scope="module", params=[15, 18])
def server(request: pytest.FixtureRequest, workspace: Workspace) -> Iterator[Server]:
    found = a_server(workspace, request.param)
    for extension in ("amcheck", "pg_visibility"):
        for database in ("app", "postgres", "template1"):
            found.sql(f"create extension {extension}", dbname=database)
    yield found
    found.stop("immediate")


@pytest.fixture
def pod(server: Server) -> Iterator[Pod]:
    with pod_of(server) as found:
        yield found
    server.sql("alter role app nosuperuser")
    server.sql("drop owned by app cascade", dbname="app")
    server.sql("grant all on schema public to pg_database_owner", dbname="app")


def owner(server: Server, *statements: str) -> None:
    for statement in statements:
        server.sql(statement, dbname="app", user="app")


def look_at_structure(pod: Pod) -> None:
    """As verify-restore does at depth structure; whatever it says."""
    with suppress(KanfuncError):
        pod.survey()
    with suppress(KanfuncError):
        pod.examine()


def superusers(server: Server) -> list[str]:
    return [name for (name,) in server.sql("select rolname::text from pg_authid where rolsuper order by 1")]


def test_1_a_function_that_matches_better(server: Server, pod: Pod) -> None:
    owner(server, FORMAT.format(schema="public"), "create table things (id serial primary key)")
    look_at_structure(pod)
    assert superusers(server) == ["postgres"]


def test_2_a_schema_named_as_the_superuser(server: Server, pod: Pod) -> None:
    server.sql("revoke create on schema public from pg_database_owner", dbname="app")
    owner(server, "create schema postgres", "grant usage on schema postgres to public",
          FORMAT.format(schema="postgres"))  # fmt: skip
    look_at_structure(pod)
    assert superusers(server) == ["postgres"]


def test_3_an_operator_that_runs_a_program_in_the_pod(server: Server, pod: Pod) -> None:
    trace = server.volume / "was-here"
    owner(
        server,
        "create function public.same(oid, regclass) returns bool language plpgsql as $$ begin "
        f"begin copy (select 1) to program 'touch {trace}'; exception when others then null; end; "
        "return $1 operator(pg_catalog.=) $2::oid; end $$",
        "create operator public.= (leftarg = oid, rightarg = regclass, function = public.same)",
        "create table things (id serial primary key)",
    )
    look_at_structure(pod)
    assert not trace.exists()


def test_4_a_predicate_of_an_index(server: Server, pod: Pod) -> None:
    owner(
        server,
        f"create function public.fires() returns bool language plpgsql as $$ begin {TAKE_OVER}; "
        "return true; end $$",
        "create function public.imm(int) returns bool language plpgsql immutable as "
        "$$ begin return public.fires(); end $$",
        "create table public.trap (id serial primary key, t text)",
        "insert into public.trap (t) select 'x' from generate_series(1, 100)",
        "create index on public.trap (t) where public.imm(1)",
    )
    look_at_structure(pod)
    assert superusers(server) == ["postgres"]


def test_5_everybody_may_create_in_public_of_postgres() -> None:
    """Until PostgreSQL 14, and for good where a cluster was upgraded from it: `fence` on a live primary."""
    with Workspace.open() as workspace:
        binaries_of(workspace, 14)
    with Lab.open(14) as lab:
        lab.create_cluster("fourteen")
        cluster = Protected(lab, "fourteen")
        primary = lab.primary(cluster.namespace, cluster.name)
        arguments = "text, boolean, text, text, text, text, text, json"
        primary.sql(
            f"create function public.json_build_object({arguments}) returns json language plpgsql as "
            f"$$ begin {TAKE_OVER}; "
            "return pg_catalog.json_build_object($1, $2, $3, $4, $5, $6, $7, $8); end $$",
            user="app",
        )
        done = cluster.fence()
        assert superusers(primary) == ["postgres"]
        assert done.returncode == 0, done.stderr
        assert cluster.unfence(outcome="failure").returncode == 0
