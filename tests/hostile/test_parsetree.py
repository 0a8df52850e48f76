"""What is read from a server's log is what its statements come to, on every version."""

from collections.abc import Iterator

import psycopg
import pytest

from tests.hostile.calls import Argument, calls
from tests.hostile.conftest import a_server
from tests.hostile.parsetree import Known, Parsed, foreign, messages, parsed
from tests.lab.postgres import Server
from tests.lab.workspace import Workspace

pytestmark = pytest.mark.lab

NAME, INT4, INT8, OID, NUMERIC, TEXT = 19, 23, 20, 26, 1700, 25
FORMAT = "select format('%I.%s', relname, relpages) from pg_class"
SUM = "select relpages::int8 + 1.5, count(*) over () from pg_class where oid = any('{1}') limit 1"
OPERATOR = """create function same(oid, int4) returns bool return true;
create operator public.= (leftarg = oid, rightarg = int4, function = same)"""


@pytest.fixture(scope="module", params=[14, 15, 18])
def server(request: pytest.FixtureRequest, workspace: Workspace) -> Iterator[Server]:
    found = a_server(workspace, request.param)
    yield found
    found.stop("immediate")


def trees(server: Server, *statements: str, name: str = "kanfunc-look") -> list[Parsed]:
    before = server.log.stat().st_size
    host = server.environment()["PGHOST"]
    with psycopg.connect(
        host=host, port=server.port, user="postgres", dbname="app", application_name=name, autocommit=True
    ) as session:
        for statement in statements:
            session.execute(statement)
    return parsed(messages(server.log, before))


def test_statements_of_ours_are_read_whole(server: Server) -> None:
    found = trees(server, FORMAT, SUM)
    assert [each.statement for each in found] == [FORMAT, SUM]
    assert {each.message.database for each in found} == {"app"}
    assert foreign(found, {}) == set()
    assert trees(server, FORMAT, name="somebody") == []


def test_arguments_are_told_as_they_were_before_conversion(server: Server) -> None:
    [first, second] = trees(server, FORMAT, SUM)
    [call] = calls(first.tree)
    literal = Argument(TEXT, literal=True)
    assert (call.kind, call.arguments, call.result) == (
        "pg_proc", (literal, Argument(NAME), Argument(INT4)), TEXT,
    )  # fmt: skip
    plus, count, equals = sorted(calls(second.tree), key=lambda call: (call.kind, call.result != NUMERIC))[:3]
    found = {(each.kind, each.arguments[:1]) for each in (plus, count, equals)}
    assert ("pg_operator", (Argument(INT8),)) in found
    assert ("pg_proc", ()) in found


@pytest.mark.parametrize(
    ("planted", "statement"),
    [
        ("create function format(text, name, int4) returns text return 'x'", FORMAT),
        (OPERATOR, "select from pg_class where oid = 1::int4"),
        ("create type public.colour as enum ('red')", "select 'red'::colour"),
        ("create table public.trap (id int)", "select count(*) from trap"),
        ("create aggregate public.count(name) (sfunc = array_append, stype = name[], initcond = '{}')",
         "select count(relname) from pg_class"),
    ],
    ids=["function", "operator", "type", "relation", "aggregate"],
)  # fmt: skip
def test_what_is_not_built_in_is_found(server: Server, planted: str, statement: str) -> None:
    if server._binaries.version.startswith("14") and "return" in planted:
        planted = planted.replace("return 'x'", "language sql as $$select 'x'$$")
        planted = planted.replace("return true", "language sql as $$select true$$")
    assert (
        foreign(trees(server, statement.replace("trap", "pg_class").replace("colour", "text")), {}) == set()
    )
    for each in planted.split(";"):
        server.sql(each, dbname="app")
    found = foreign(trees(server, statement), {})
    assert {text for _, _, text in found} == {statement}


def test_what_belongs_to_an_extension_of_ours_is_not_foreign(server: Server) -> None:
    server.sql("create extension if not exists amcheck", dbname="app")
    found = trees(server, "select bt_index_check('pg_class_oid_index')")
    [(catalog, oid, _)] = foreign(found, {})
    assert catalog == "pg_proc", oid
    assert foreign(found, {"app": Known.of(server, "app")}) == set()


def test_trees_of_one_session_are_not_mixed_up_with_those_of_another(server: Server) -> None:
    """Lines of two sessions lie beside each other."""
    host = server.environment()["PGHOST"]
    before = server.log.stat().st_size
    with (
        psycopg.connect(host=host, port=server.port, user="postgres", dbname="app",
                        application_name="kanfunc-1", autocommit=True) as first,
        psycopg.connect(host=host, port=server.port, user="postgres", dbname="postgres",
                        application_name="kanfunc-2", autocommit=True) as second,
    ):  # fmt: skip
        for number in range(20):
            first.execute(f"select {number} as x{number}")
            second.execute(f"select {number} as x{number}")
    found = parsed(messages(server.log, before))
    expected = [f"select {number} as x{number}" for number in range(20)] * 2
    assert sorted(each.statement for each in found) == sorted(expected)
    assert not [call for each in found for call in calls(each.tree)]
