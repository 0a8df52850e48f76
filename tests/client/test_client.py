"""The client path on real PostgreSQL: what it lets through, and each way in which it must not look good."""

from dataclasses import replace
from pathlib import Path

import pytest

from kanfunc.domain.errors import ClientFailed
from kanfunc.domain.inquiry import Question, Session
from kanfunc.gateways.client import PsycopgClient
from kanfunc.gateways.credentials import Credentials
from tests.client.conftest import HOST, LONG_AGO, PASSWORD, ask, client, show
from tests.lab.certificates import Authority
from tests.lab.test_postgres import Site

pytestmark = pytest.mark.lab

# ---- what gets through


@pytest.mark.parametrize(("user", "method"), [("app", "certificate"), ("by_password", "password")])
def test_login_writes_and_leaves_nothing(
    site: Site, folder: Path, session: Session, user: str, method: str
) -> None:
    assert client(site, folder).log_in(replace(session, user=user, method=method)).startswith("TLSv1")
    assert site.primary.sql("SELECT 1 FROM pg_class WHERE relname = 'kanfunc_login'", dbname="app") == []


def test_values_come_as_postgresql_prints_them(site: Site, folder: Path, session: Session) -> None:
    sql = (
        "SELECT true, null, 1.50, 'infinity'::timestamptz, '2026-11-23 10:00+02'::timestamptz, "
        "'\\xff'::bytea, ARRAY[1], '100%', '{\"a\": 1}'::json"
    )
    assert ask(site, folder, session, Question(sql, width=100)).rows == (
        ("t", None, "1.50", "infinity", "2026-11-23 08:00:00+00", "\\xff", "{1}", "100%", '{"a": 1}'),
    )


def test_no_more_rows_are_fetched_than_are_of_interest(site: Site, folder: Path, session: Session) -> None:
    endless = Question("SELECT generate_series(1, 10000000000)", limit=2, width=20)
    found = ask(site, folder, session, endless)
    assert (found.rows, found.more) == ((("1",), ("2",)), True)


def test_role_is_taken_on(site: Site, folder: Path, session: Session) -> None:
    as_reader = replace(session, user="by_password", role="pg_read_all_data")
    answer = ask(site, folder, as_reader, Question("SELECT session_user, current_user"))
    assert answer.rows == (("by_password", "pg_read_all_data"),)


# ---- what does not


@pytest.mark.parametrize(
    ("sql", "state"),
    [
        ("DELETE FROM links", "25006"),
        ("SELECT 1; COMMIT; DELETE FROM links", "42601"),
        ("SELECT pg_sleep(60)", "57014"),
        ("SELECT set_config('transaction_read_only', 'off', false) FROM links", "25001"),
        ("SELECT * FROM nowhere", "42P01"),
        ("SELECT rolpassword FROM pg_authid", "42501"),
    ],
)
def test_statement_that_does_not_only_read_changes_nothing(
    site: Site, folder: Path, session: Session, sql: str, state: str
) -> None:
    with pytest.raises(ClientFailed) as failed:
        ask(site, folder, replace(session, seconds=1), Question(sql, width=100))
    assert failed.value.sqlstate == state
    assert site.primary.sql("SELECT count(*) FROM links", dbname="app") == [(2,)]


def test_rows_that_a_policy_hides_are_no_count(site: Site, folder: Path, session: Session) -> None:
    site.primary.sql("ALTER TABLE links ENABLE ROW LEVEL SECURITY", dbname="app")
    site.primary.sql("GRANT SELECT ON links TO by_password", dbname="app")
    whole = Question("SELECT count(*) FROM public.links", complete=True)
    with pytest.raises(ClientFailed) as failed:
        ask(site, folder, replace(session, user="by_password"), whole)
    assert failed.value.sqlstate == "42501"


def refusal(site: Site, folder: Path, session: Session) -> str:
    with pytest.raises(ClientFailed) as failed:
        client(site, folder).log_in(session)
    assert failed.value.sqlstate == ""
    assert PASSWORD not in str(failed.value)
    return str(failed.value)


def test_wrong_authority(site: Site, folder: Path, session: Session) -> None:
    (folder / "ca.crt").write_bytes(Authority.create().certificate)
    assert "certificate verify failed" in refusal(site, folder, session)


def test_certificate_of_another_authority(site: Site, folder: Path, session: Session) -> None:
    show(folder / "app", Authority.create().client("app"))
    assert "unknown ca" in refusal(site, folder, session)


def test_expired_certificate(site: Site, folder: Path, session: Session) -> None:
    show(folder / "app", site.authority.client("app", not_after=LONG_AGO))
    assert "certificate expired" in refusal(site, folder, session)


def test_expired_server_certificate(site: Site, folder: Path, session: Session) -> None:
    server = site.server("pg-old")
    expired = site.authority.server([HOST], not_after=LONG_AGO)
    expired.write(server._certificate.certificate.parent, "server", site.workspace.identity)
    server.initdb()
    server.configure()
    server.start(standby=False)
    try:
        with pytest.raises(ClientFailed, match="certificate verify failed"):
            PsycopgClient(Credentials(folder), server.port).log_in(session)
    finally:
        server.stop()


def test_certificate_of_somebody_else(site: Site, folder: Path, session: Session) -> None:
    show(folder / "app", site.authority.client("streaming_replica"))
    assert "certificate authentication failed" in refusal(site, folder, session)


def test_server_under_another_name(site: Site, folder: Path, session: Session) -> None:
    assert "does not match host name" in refusal(site, folder, replace(session, host="localhost"))


def test_wrong_password(site: Site, folder: Path, session: Session) -> None:
    (folder / "by_password" / "password").write_text("carp")
    found = refusal(site, folder, replace(session, user="by_password", method="password"))
    assert "password authentication failed" in found
    assert "carp" not in found


def test_server_that_asks_for_no_password_is_no_login(site: Site, folder: Path, session: Session) -> None:
    """A wrong one would have been as good."""
    trusted = replace(session, user="trusted", method="password")
    assert "did not complete authentication" in refusal(site, folder, trusted)


def test_another_server_is_a_stranger(site: Site, folder: Path, session: Session) -> None:
    with pytest.raises(ClientFailed) as failed:
        client(site, folder).log_in(replace(session, server="2026-11-23 10:00:00"))
    assert failed.value.stranger


def test_addresses_leave_the_password_where_it_is(site: Site, folder: Path) -> None:
    (folder / "app" / "uri").write_text(f"postgresql://app:{PASSWORD}@pg-rw.source:5432/app")
    (folder / "app" / "host").write_text("pg-rw\n")
    assert client(site, folder).addresses("app") == [("host", "pg-rw"), ("uri", "pg-rw.source")]
