"""What acts by itself is found in every database of real PostgreSQL, whatever it is called; and in time."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from kubernetes.client import Configuration

from kanfunc.gateways import shell
from kanfunc.gateways.activityscripts import ACTIVITY, arguments
from kanfunc.gateways.instances import sections
from kanfunc.gateways.podexec import PodExec
from tests.lab.postgres import Server
from tests.scenarios.protected import PRIMARY, Protected

pytestmark = pytest.mark.lab

HOSTILE = [
    "a=b",
    "host=elsewhere dbname=app",
    "two words",
    "12",
    "'; select 1",
    "last\n",
    "\n",
    "ümlaut",
    "%s",
    "-U",
]
AGENT = ("create schema timetable", "create table timetable.chain (id int)")


@pytest.fixture
def server(sturdy: Protected) -> Iterator[Server]:
    """The primary, whose further databases and subscriptions go with the test."""
    found = sturdy.lab.primary(sturdy.namespace, sturdy.name)
    yield found
    for (name,) in found.sql("select subname from pg_subscription"):
        found.sql(f"alter subscription {quoted(name)} set (slot_name = none)", dbname="app")
        found.sql(f"drop subscription {quoted(name)}", dbname="app")
    found.sql("update pg_database set datconnlimit = -1, datallowconn = true where datname <> 'template0'")
    for (name,) in found.sql("select datname from pg_database where oid >= 16384 and datname <> 'app'"):
        found.sql(f"drop database {quoted(name)}")


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def looked(cluster: Protected, seconds: int = 40) -> tuple[dict[str, Any], dict[str, Any], dict[str, int]]:
    """What the script says: of the server, of each database that it names, how many there are."""
    pods = PodExec(Configuration(host=cluster.lab.api.url))
    output = pods.run(cluster.namespace, PRIMARY, shell.argv(ACTIVITY, *arguments(seconds)), 60)
    found = sections(output)
    lines = map(json.loads, found["databases"].splitlines())
    return (
        json.loads(found["server"]),
        {each["database"]: each for each in lines},
        json.loads(found["counts"]),
    )


def test_every_database_is_looked_into_whatever_its_name(sturdy: Protected, server: Server) -> None:
    for name in HOSTILE:
        server.sql(f"create database {quoted(name)}")
        for statement in AGENT:
            server.sql(statement, dbname=name)
    _, databases, counts = looked(sturdy)
    assert set(databases) == set(HOSTILE)
    assert {tuple(each["extensions"]) for each in databases.values()} == {("pg_timetable",)}
    assert counts == {"acting": len(HOSTILE), "unseen": 0}


def test_ten_are_named_and_whatever_is_new_beyond_them(sturdy: Protected, server: Server) -> None:
    server.sql("create database d0")
    for statement in AGENT:
        server.sql(statement, dbname="d0")
    for number in range(1, 13):
        server.sql(f"create database d{number:02} template d0")
    server.sql("create database zz template d0")
    server.sql(PRETENDED, dbname="zz")
    _, databases, counts = looked(sturdy)
    assert len(databases) == 11
    assert databases["zz"]["extensions"] == ["pg_cron", "pg_timetable"]
    assert counts == {"acting": 14, "unseen": 0}


PRETENDED = """
do $$ begin
  set local allow_system_table_mods = on;
  insert into pg_extension select 99999, 'pg_cron', 10, 11, false, '1.6';
end $$"""
"""The files of pg_cron are not here; its row in the catalog is what we look for."""


def test_a_database_that_cannot_be_looked_at_is_told_by_name(sturdy: Protected, server: Server) -> None:
    for name in ("broken\nname", "shut"):
        server.sql(f"create database {quoted(name)}")
    server.sql("update pg_database set datconnlimit = -2 where datname like 'broken%'")  # a DROP that was cut
    server.sql("update pg_database set datallowconn = false where datname = 'shut'")
    found, databases, counts = looked(sturdy)
    assert found["closed"] == {"count": 1, "first": ["shut"]}
    assert databases["broken\nname"]["reason"]
    assert counts == {"acting": 0, "unseen": 1}

    _, databases, counts = looked(sturdy, seconds=0)
    assert {each["reason"] for each in databases.values()} == {"no time was left"}
    assert {"app", "postgres", "broken\nname"} <= set(databases)
    assert counts == {"acting": 0, "unseen": len(databases)}


def test_no_password_of_a_subscription_leaves_the_pod(sturdy: Protected, server: Server) -> None:
    for number in range(12):
        server.sql(
            f"create subscription s{number:02} connection 'host=nowhere password=swordfish' publication p"
            " with (connect = false)",
            dbname="app",
        )
    found, _, _ = looked(sturdy)
    assert "swordfish" not in json.dumps(found)
    assert (found["subscriptions"]["count"], len(found["subscriptions"]["first"])) == (12, 10)
    assert found["subscriptions"]["first"][0] == {
        "name": "s00", "database": "app", "enabled": False, "working": False,
    }  # fmt: skip
    assert found["strangers"] == []
    assert found["workers"] == 4
