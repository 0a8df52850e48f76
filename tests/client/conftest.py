"""PostgreSQL with verified TLS, the seed's table in it, and what a client shows, as files."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from kanfunc.domain.inquiry import Answer, Question, Session
from kanfunc.gateways.client import PsycopgClient
from kanfunc.gateways.credentials import Credentials
from tests.lab.certificates import KeyPair
from tests.lab.test_postgres import Site
from tests.lab.workspace import Workspace

HOST = "127.0.0.1"
LOGINS = """\
local   all all                    peer map=local
hostssl all by_password 127.0.0.1/32 scram-sha-256
hostssl all trusted     127.0.0.1/32 trust
hostssl all all         127.0.0.1/32 cert
"""
PASSWORD = "swordfish"  # noqa: S105 - of a server that lives for this test
"""Stands in no error, report or log."""
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with Workspace.open() as workspace:
        site = Site(workspace)
        site.primary._write("pg_hba.conf", LOGINS)
        site.primary.sql("SELECT pg_reload_conf()")
        site.primary.sql(f"CREATE ROLE by_password LOGIN PASSWORD '{PASSWORD}' IN ROLE pg_read_all_data")
        site.primary.sql("CREATE ROLE trusted LOGIN")
        yield site


@pytest.fixture(autouse=True)
def links(site: Site) -> None:
    """The seed's table."""
    sql = site.primary.sql
    sql("DROP TABLE IF EXISTS links", dbname="app")
    sql("CREATE TABLE links (id serial PRIMARY KEY, url text, name text, last_update date)", dbname="app")
    sql("ALTER TABLE links OWNER TO app", dbname="app")
    sql("INSERT INTO links (url, name, last_update) VALUES ('https://kasten.io', 'Kasten', '2026-11-23'), "
        "('https://enterprisedb.com', 'EDB', '2026-11-20')", dbname="app")  # fmt: skip


@pytest.fixture
def folder(site: Site, tmp_path: Path) -> Path:
    """What is mounted: everybody may read it, as Kubernetes mounts Secrets by default."""
    (tmp_path / "ca.crt").write_bytes(site.authority.certificate)
    show(tmp_path / "app", site.authority.client("app"))
    show(tmp_path / "trusted", site.authority.client("trusted"))
    for user in ("by_password", "trusted"):
        (tmp_path / user).mkdir(exist_ok=True)
        (tmp_path / user / "password").write_text(f"{PASSWORD}\n")
    return tmp_path


def show(folder: Path, pair: KeyPair) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "tls.crt").write_bytes(pair.certificate)
    (folder / "tls.key").write_bytes(pair.key)


def client(site: Site, folder: Path) -> PsycopgClient:
    return PsycopgClient(Credentials(folder), site.primary.port)


def started(site: Site) -> str:
    [(text,)] = site.primary.sql("SELECT (pg_postmaster_start_time() AT TIME ZONE 'UTC')::text")
    return str(text)


@pytest.fixture
def session(site: Site) -> Session:
    return Session(
        host=HOST, database="app", user="app", role=None, method=None,
        server=started(site), version=version(site), seconds=5,
    )  # fmt: skip


def version(site: Site) -> int:
    [(number,)] = site.primary.sql("SHOW server_version_num")
    return int(number) // 10_000


def ask(site: Site, folder: Path, session: Session, question: Question) -> Answer:
    with client(site, folder).conversation(session) as put:
        return put(question)
