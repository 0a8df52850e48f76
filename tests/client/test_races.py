"""What an owner exchanges between two statements of one check."""

from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import psycopg
import pytest

from kanfunc.domain.finding import Finding, Status
from tests.client.test_content import made
from tests.client.test_hostile import sql  # noqa: F401 - a fixture
from tests.lab.test_postgres import Site

pytestmark = pytest.mark.lab

WAITING = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = %s::regclass"


@pytest.fixture
def owner(site: Site) -> Iterator[psycopg.Connection]:
    with psycopg.connect(
        host=site.primary.environment()["PGHOST"], port=site.primary.port, user="app", dbname="app"
    ) as opened:
        yield opened


def exchanged(site: Site, folder: Path, owner: psycopg.Connection, text: str, *statements: str) -> Finding:
    """The check meets a lock on `links`; when it waits for it, these statements are committed."""
    found: list[Finding] = []
    owner.execute("LOCK TABLE public.links IN ACCESS EXCLUSIVE MODE")
    checking = Thread(target=lambda: found.append(made(site, folder, text)["it"]))
    checking.start()
    try:
        while site.primary.sql(WAITING, "public.links", dbname="app") == [(0,)]:
            assert checking.is_alive()
        for statement in statements:
            owner.execute(statement)
        owner.commit()
    finally:
        owner.rollback()
        checking.join()
    return found[0]


@pytest.mark.parametrize("by", ["count", "fingerprint"])
@pytest.mark.parametrize(
    "instead",
    [
        "CREATE VIEW public.links AS SELECT * FROM public.kept",
        "CREATE VIEW public.links AS SELECT *, 1 AS tableoid FROM public.kept",
        "CREATE TABLE public.links AS SELECT * FROM public.kept",
    ],
)
@pytest.mark.usefixtures("sql")
def test_another_relation_under_the_table_s_name(
    site: Site, folder: Path, owner: psycopg.Connection, instead: str, by: str
) -> None:
    text = "checks: [{name: it, kind: table, table: links, fingerprint: '%s'}]"
    known = made(site, folder, text % ("0" * 64))["it"].found.rpartition(" ")[2]
    counted = "checks: [{name: it, kind: table, table: links, count: 2}]"
    for statement in ("CREATE TABLE kept AS SELECT * FROM links", "DELETE FROM links"):
        site.primary.sql(f"SET ROLE app; {statement}", dbname="app")
    finding = exchanged(
        site, folder, owner, text % known if by == "fingerprint" else counted,
        "ALTER TABLE public.links RENAME TO gone", instead,
    )  # fmt: skip
    assert finding.status is Status.FAILED


@pytest.mark.usefixtures("sql")
def test_another_table_under_the_name_of_a_sequence_s(
    site: Site, folder: Path, owner: psycopg.Connection
) -> None:
    site.primary.sql("SELECT setval('links_id_seq', 1)", dbname="app")
    site.primary.sql("SET ROLE app; CREATE TABLE kept AS SELECT * FROM links WHERE false", dbname="app")
    finding = exchanged(
        site, folder, owner, "checks: [{name: it, kind: sequences}]",
        "ALTER TABLE public.links RENAME TO gone", "CREATE VIEW public.links AS SELECT * FROM public.kept",
    )  # fmt: skip
    assert finding.status is Status.FAILED
