import contextlib
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from tests.lab.binaries import Binaries
from tests.lab.certificates import Authority, KeyFiles
from tests.lab.client import Writer, client_dsn
from tests.lab.postgres import Server
from tests.lab.workspace import Identity, Workspace

pytestmark = pytest.mark.lab

HOST = "cluster-example-rw"


class Site:
    """A primary whose certificate names HOST, and an application certificate from the same authority."""

    def __init__(self, workspace: Workspace) -> None:
        self.authority = Authority.create()
        self.directory = workspace.path
        self.primary = Server(
            workspace,
            Binaries.find(workspace),
            name="cluster-example-1",
            volume=workspace.directory("volumes") / "1",
            tls=self.authority.instance([HOST]),
        )
        self.primary.initdb()
        self.primary.configure()
        self.primary.start(standby=False)
        self.primary.create_roles()

    def dsn(self, *, host: str = HOST, trusted: Authority | None = None, role: str = "app") -> str:
        authority = self.directory / "client-ca.crt"
        authority.write_bytes((trusted or self.authority).certificate)
        return client_dsn(host=host, port=self.primary.port, certificate=self.key(role), authority=authority)

    def key(self, role: str) -> KeyFiles:
        return self.authority.client(role).write(self.directory, role, Identity.current())


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with Workspace.open() as workspace:
        yield Site(workspace)


def test_the_application_connects_over_verified_tls(site: Site) -> None:
    with contextlib.closing(psycopg.connect(site.dsn())) as connection:
        query = "SELECT current_user, current_database(), ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
        assert connection.execute(query).fetchone() == ("app", "app", True)


def test_a_server_of_another_name_is_refused(site: Site) -> None:
    with pytest.raises(psycopg.OperationalError, match="does not match host name"):
        psycopg.connect(site.dsn(host="another-rw"))


def test_a_server_of_another_authority_is_refused(site: Site) -> None:
    with pytest.raises(psycopg.OperationalError, match="certificate verify failed"):
        psycopg.connect(site.dsn(trusted=Authority.create()))


def test_a_client_without_tls_is_refused(site: Site) -> None:
    plain = make_conninfo(site.dsn(), sslmode="disable")
    with pytest.raises(psycopg.OperationalError, match="no encryption"):
        psycopg.connect(plain)


def test_a_client_with_anothers_certificate_is_refused(site: Site) -> None:
    with pytest.raises(psycopg.OperationalError, match="certificate authentication failed"):
        psycopg.connect(site.dsn(role="somebody"))


def test_a_stored_authority_signs_on(site: Site) -> None:
    site.authority = Authority.from_pem(site.authority.to_pem())
    with contextlib.closing(psycopg.connect(site.dsn())) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_every_acknowledged_commit_is_in_the_table(site: Site) -> None:
    writer = Writer(site.dsn())
    writer.start()
    writer.wait_for(20)
    writer.stop()
    stored = {value for (value,) in site.primary.sql("SELECT value FROM ledger", dbname="app")}
    assert len(writer.commits) >= 20
    assert {commit.value for commit in writer.commits} <= stored


def test_a_pause_is_noticed(site: Site) -> None:
    writer = Writer(site.dsn())
    writer.start()
    writer.wait_for(5)
    site.primary.sql("BEGIN; LOCK TABLE ledger; SELECT pg_sleep(0.5); COMMIT", dbname="app")
    writer.stop()
    assert writer.longest_gap > 0.45


def test_a_lost_connection_is_reported_when_it_is_stopped(site: Site) -> None:
    writer = Writer(site.dsn())
    writer.start()
    site.primary.sql("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = 'app'")
    with pytest.raises(psycopg.errors.AdminShutdown):
        writer.stop()


def test_what_keeps_it_from_writing_is_raised_at_once(site: Site, tmp_path: Path) -> None:
    nowhere = make_conninfo(site.dsn(), dbname="nowhere", sslrootcert=str(tmp_path / "missing.crt"))
    with pytest.raises(psycopg.OperationalError):
        Writer(nowhere).start()
