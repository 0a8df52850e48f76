"""What the owner of a database attaches to it must not answer, end or outgrow the checks of others."""

import tracemalloc
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest

from kanfunc.domain.errors import ClientFailed, Refused
from kanfunc.domain.finding import Finding, Status
from kanfunc.domain.inquiry import Question, Session
from kanfunc.gateways import sessions
from tests.client.conftest import ask, client
from tests.client.test_content import made
from tests.lab.test_postgres import Site

pytestmark = pytest.mark.lab

TABLE = "checks: [{{name: it, kind: table, table: {0}, fingerprint: '{1}'}}]"


@pytest.fixture
def sql(site: Site) -> Iterator["Owner"]:
    """As the owner of database app; whatever was made there goes in the end."""
    owner = Owner(site)
    yield owner
    site.primary.sql("ALTER ROLE app RESET ALL")
    site.primary.sql("ALTER ROLE app IN DATABASE app RESET ALL")
    site.primary.sql("ALTER DATABASE app RESET ALL")
    site.primary.sql("DROP OWNED BY app CASCADE", dbname="app")


class Owner:
    def __init__(self, site: Site) -> None:
        self._site = site

    def __call__(self, *statements: str) -> None:
        for statement in statements:
            self._site.primary.sql(f"SET ROLE app; {statement}", dbname="app")


def exact(site: Site, folder: Path, table: str, fingerprint: str = "0" * 64) -> Finding:
    return made(site, folder, TABLE.format(table, fingerprint))["it"]


def fingerprint(site: Site, folder: Path, table: str) -> str:
    return exact(site, folder, table).found.rpartition(" ")[2]


NAMES = ["kanfunc row", "record_out", "textin", "h", "a", "hashes", "count", "links", "convert_to", "%s"]


@pytest.mark.parametrize("name", NAMES)
def test_every_column_is_hashed_whatever_its_name(site: Site, folder: Path, sql: Owner, name: str) -> None:
    sql(f'CREATE TABLE odd ("{name}" text, secret text)', "INSERT INTO odd VALUES ('same', 'before')")
    before = fingerprint(site, folder, "odd")
    assert exact(site, folder, "odd", before).passed
    sql("UPDATE odd SET secret = 'after'")
    assert exact(site, folder, "odd", before).status is Status.FAILED


@pytest.mark.parametrize("name", ["kanfunc row", 'a"b', "100%", "{0}", "%s", "pg_class", "x.y"])
def test_a_table_may_have_any_name(site: Site, folder: Path, sql: Owner, name: str) -> None:
    quoted = '"' + name.replace('"', '""') + '"'
    sql(f"CREATE TABLE {quoted} AS SELECT 1 AS one")
    text = f"checks: [{{name: it, kind: table, table: '{name}', count: 1, fingerprint: '{'0' * 64}'}}]"
    assert made(site, folder, text)["it"].found.startswith("1 rows, fingerprint ")


def test_a_cast_of_the_table_s_owner_is_not_used(site: Site, folder: Path, sql: Owner) -> None:
    sql("CREATE TABLE cast_away AS SELECT 1 AS one", "CREATE TYPE mood AS ENUM ('sad', 'ok')",
        "ALTER TABLE cast_away ADD felt mood DEFAULT 'sad'")  # fmt: skip
    before = fingerprint(site, folder, "cast_away")
    for made_of in ("cast_away", "mood"):
        sql(f"CREATE FUNCTION lie({made_of}) RETURNS text LANGUAGE sql AS $$ SELECT 'lie' $$",
            f"CREATE CAST ({made_of} AS text) WITH FUNCTION lie({made_of}) AS IMPLICIT")  # fmt: skip
    assert exact(site, folder, "cast_away", before).passed
    sql("UPDATE cast_away SET felt = 'ok'")
    assert exact(site, folder, "cast_away", before).status is Status.FAILED


@pytest.mark.parametrize(
    ("instead", "what"),
    [
        ("CREATE VIEW exchanged AS SELECT * FROM kept", "is a view"),
        ("CREATE MATERIALIZED VIEW exchanged AS SELECT * FROM kept", "is a materialized view"),
        ("CREATE VIEW exchanged AS SELECT *, 1 AS tableoid FROM kept", "is a view"),
    ],
)
def test_a_view_in_the_table_s_place_is_refused(
    site: Site, folder: Path, sql: Owner, instead: str, what: str
) -> None:
    sql("CREATE TABLE kept AS SELECT 1 AS one", instead)
    finding = exact(site, folder, "exchanged")
    assert (finding.status, what in finding.found) == (Status.FAILED, True)


def test_rows_of_an_inheriting_table_are_told(site: Site, folder: Path, sql: Owner) -> None:
    sql("CREATE TABLE whole AS SELECT 1 AS one", "CREATE TABLE part () INHERITS (whole)")
    sql("INSERT INTO part VALUES (2)")
    told = "2 rows, with those of 1 tables that inherit from it (public.part"
    assert told in exact(site, folder, "whole").found


@pytest.mark.parametrize("change", ["RENAME one TO two", "ALTER one TYPE bigint"])
def test_names_and_types_of_columns_count(site: Site, folder: Path, sql: Owner, change: str) -> None:
    sql("CREATE TABLE shaped AS SELECT 1 AS one")
    before = fingerprint(site, folder, "shaped")
    sql(f"ALTER TABLE shaped {change}")
    assert exact(site, folder, "shaped", before).status is Status.FAILED


def test_required_extensions_are_not_made_up(site: Site, folder: Path, sql: Owner) -> None:
    sql("CREATE FUNCTION unnest(text[]) RETURNS SETOF text LANGUAGE sql AS $$ SELECT 'plpgsql' $$",
        "CREATE VIEW pg_extension AS SELECT 'gone'::name AS extname",
        "ALTER DATABASE app SET search_path = public, pg_catalog")  # fmt: skip
    text = "checks: [{name: it, kind: extensions, required: [gone]}]"
    assert made(site, folder, text)["it"].status is Status.FAILED


BENT = (
    "statement_timeout = '1ms'",
    "idle_in_transaction_session_timeout = '1ms'",
    "lock_timeout = '1ms'",
    "default_transaction_isolation = serializable",
    "synchronous_commit = remote_apply",
    "client_min_messages = debug5",
    "exit_on_error = on",
    "default_transaction_read_only = on",
)


@pytest.mark.parametrize("whose", ["ROLE app", "DATABASE app", "ROLE app IN DATABASE app"])
def test_settings_of_role_and_database_end_no_check(site: Site, folder: Path, sql: Owner, whose: str) -> None:
    for setting in BENT:
        sql(f"ALTER {whose} SET {setting}")
    text = """
checks:
  - {name: login, kind: login, method: certificate}
  - {name: slow, kind: query, query: "SELECT pg_sleep(0.1), 1", expect: {rows: [["", 1]]}}
  - {name: exact, kind: table, table: links, count: 2}
  - {name: numbers, kind: sequences}
"""
    assert {name: each.status for name, each in made(site, folder, text).items() if not each.passed} == {}


def test_a_query_has_its_user_s_path(site: Site, folder: Path, sql: Owner) -> None:
    sql("CREATE SCHEMA mine", "CREATE TABLE mine.things AS SELECT 7 AS seven")
    site.primary.sql("ALTER ROLE app SET search_path = mine")
    text = "checks: [{name: it, kind: query, query: SELECT seven FROM things, expect: {equals: 7}}]"
    assert made(site, folder, text)["it"].passed


@pytest.mark.parametrize(
    ("query", "rows"),
    [
        ("SELECT 1, 1, 'x'; -- one", (("1", "1", "x"),)),
        ("SELECT 1 -- one", (("1",),)),
        ("SELECT ROW(NULL, NULL), NULL, ROW(1, 'a b')", (("(,)", None, '(1,"a b")'),)),
        ("VALUES (1), (2)", (("1",), ("2",))),
        ("SELECT id FROM links ORDER BY 1 DESC;", (("2",), ("1",))),
        ("WITH it AS (SELECT 3) SELECT * FROM it", (("3",),)),
        ("SHOW server_encoding", (("UTF8",),)),
        ("SELECT '100%', E'it''s; -- no', $$;$$", (("100%", "it's; -- no", ";"),)),
        ("SELECT", ((),)),
    ],
)
def test_queries_are_asked_as_they_are(
    site: Site, folder: Path, session: Session, query: str, rows: object
) -> None:
    assert ask(site, folder, session, Question(query, limit=2, width=100)).rows == rows


def test_no_more_of_a_value_is_fetched_than_is_of_interest(
    site: Site, folder: Path, session: Session
) -> None:
    vast = Question("SELECT repeat('x', 50000000), 1", width=11)
    tracemalloc.start()
    try:
        answer = ask(site, folder, replace(session, seconds=30), vast)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert answer.rows == (("x" * 11, "1"),)
    assert peak < 5_000_000


@pytest.mark.parametrize("pinned", [True, False])
def test_a_conversation_may_pause(
    site: Site, folder: Path, session: Session, sql: Owner, *, pinned: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    setting = "idle_in_transaction_session_timeout"
    sql(f"ALTER ROLE app SET {setting} = '1ms'")
    if not pinned:
        others = tuple(pin for pin in sessions.PINS if pin.setting != setting)
        monkeypatch.setattr(sessions, "PINS", others)
    with (
        nullcontext() if pinned else pytest.raises(ClientFailed),
        client(site, folder).conversation(session) as ask,
    ):
        for _ in range(2):
            assert ask(Question("SELECT 1")).rows == (("1",),)
            site.primary.sql("SELECT pg_sleep(0.1)")


STUBBORN = """
CREATE FUNCTION stubborn() RETURNS int LANGUAGE plpgsql AS $$ BEGIN
  LOOP
    BEGIN
      PERFORM pg_sleep(60);
    EXCEPTION WHEN query_canceled THEN NULL;
    END;
  END LOOP;
END $$
"""


def test_what_ignores_its_cancellation_is_cut_off(site: Site, folder: Path, sql: Owner) -> None:
    sql(STUBBORN, "CREATE VIEW answer AS SELECT stubborn() AS value")
    text = """
checks:
  - {name: stubborn, kind: query, query: SELECT value FROM answer, expect: {equals: 1}, timeout: 1s}
  - {name: next, kind: table, table: links, count: 2}
"""
    findings = made(site, folder, text)
    stubborn = findings["stubborn"]
    assert (stubborn.status, stubborn.found) == (Status.NOT_CHECKED, "no end within 6 s")
    assert "timeout" in stubborn.meaning
    assert findings["next"].passed


def test_a_superuser_is_refused(site: Site, folder: Path, session: Session) -> None:
    site.primary.sql("ALTER ROLE app SUPERUSER")
    try:
        with pytest.raises(Refused, match="superuser"), client(site, folder).conversation(session):
            pass
        with pytest.raises(Refused, match="superuser"):
            client(site, folder).log_in(session)
    finally:
        site.primary.sql("ALTER ROLE app NOSUPERUSER")


def test_a_failing_query_is_a_failure_of_the_query(site: Site, folder: Path, session: Session) -> None:
    with pytest.raises(ClientFailed) as failed:
        ask(site, folder, session, Question("SELECT nothing FROM nowhere", width=10))
    assert failed.value.sqlstate == "42P01"


LOW = (
    "CREATE SCHEMA aaa", "CREATE SCHEMA evil", "GRANT USAGE ON SCHEMA evil TO PUBLIC",
    "CREATE FUNCTION evil.low(int, int) RETURNS int LANGUAGE sql AS $$ SELECT 0 $$",
    "CREATE AGGREGATE evil.max(int) (sfunc = evil.low, stype = int)",
    """CREATE FUNCTION evil.bend(int) RETURNS bool LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN
    PERFORM set_config('search_path', 'evil, pg_catalog', true); RETURN true; END $$""",
    "CREATE TABLE aaa.first (id serial PRIMARY KEY, t text)",
    "CREATE INDEX ON aaa.first (t) WHERE evil.bend(1)",
)  # fmt: skip


def test_what_one_table_s_owner_sets_does_not_answer_for_another(
    site: Site, folder: Path, sql: Owner
) -> None:
    """The predicate of an index runs as the check's user, who may set what we have pinned."""
    sql(*LOW)
    site.primary.sql("SELECT setval('links_id_seq', 1)", dbname="app")
    finding = made(site, folder, "checks: [{name: it, kind: sequences}]")["it"]
    assert (finding.status, finding.found) == (
        Status.FAILED, "public.links_id_seq is at 1, public.links.id at 2",
    )  # fmt: skip


def test_prepared_statements_that_vanish_are_not_missed(site: Site, folder: Path, sql: Owner) -> None:
    sql(
        "CREATE FUNCTION forget(int) RETURNS bool LANGUAGE plpgsql AS $$ BEGIN "
        "IF current_setting('application_name') = 'kanfunc' THEN EXECUTE 'DEALLOCATE ALL'; END IF; "
        "RETURN true; END $$",
        "CREATE FUNCTION imm(int) RETURNS bool LANGUAGE plpgsql IMMUTABLE AS "
        "$$ BEGIN RETURN public.forget(1); END $$",
    )
    for number in range(12):
        sql(
            f"CREATE TABLE t{number} (id serial PRIMARY KEY, t text)",
            f"CREATE INDEX ON t{number} (t) WHERE imm(1)",
        )
    site.primary.sql("SELECT setval('links_id_seq', 2)", dbname="app")
    assert made(site, folder, "checks: [{name: it, kind: sequences}]")["it"].passed


@pytest.mark.parametrize(
    "statements",
    [
        ("CREATE DOMAIN number AS bigint", "CREATE SEQUENCE s", "CREATE TABLE d (id number)",
         "ALTER SEQUENCE s OWNED BY d.id"),
        ("CREATE SEQUENCE s", "CREATE TABLE d (id numeric DEFAULT nextval('s'))",
         "ALTER SEQUENCE s OWNED BY d.id"),
        ("CREATE SEQUENCE s", "CREATE TABLE d (id bigint DEFAULT nextval('s'))"),
        ("CREATE SEQUENCE s", "CREATE TABLE d (id bigint DEFAULT nextval('s'))",
         "CREATE TABLE e (id bigint)", "ALTER SEQUENCE s OWNED BY e.id"),
        ("CREATE SEQUENCE s", "CREATE TABLE d (id text DEFAULT nextval('s'))"),
    ],
    ids=["domain", "numeric", "not owned", "owned by another", "text"],
)  # fmt: skip
def test_a_sequence_that_numbers_a_column_is_not_passed_over(
    site: Site, folder: Path, sql: Owner, statements: tuple[str, ...]
) -> None:
    site.primary.sql("SELECT setval('links_id_seq', 2)", dbname="app")
    sql(*statements, "INSERT INTO d VALUES (100)")
    finding = made(site, folder, "checks: [{name: it, kind: sequences}]")["it"]
    assert not finding.passed, finding.found
