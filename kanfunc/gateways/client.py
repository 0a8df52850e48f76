"""A client of the database, as applications are: libpq over the network, verified TLS."""

import logging
import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psycopg
from psycopg.adapt import AdaptersMap
from psycopg.types.string import TextLoader

from kanfunc.domain.content import Answer, Question, Session
from kanfunc.domain.errors import ClientFailed
from kanfunc.gateways.credentials import CERTIFICATE, PASSWORD, Credentials

_CONNECT_SECONDS, _LOCK_SECONDS, _GRACE_SECONDS = 10, 5, 10

# Of the transaction, not of the session: a pooler would hand a session on. Values are printed the same way
# everywhere, since fingerprints are made of them.
_SETTINGS = """
SELECT set_config('statement_timeout', %(statement)s, true), set_config('lock_timeout', %(lock)s, true),
  set_config('idle_in_transaction_session_timeout', %(statement)s, true),
  set_config('row_security', %(policies)s, true), set_config('synchronous_commit', 'local', true),
  set_config('TimeZone', 'UTC', true), set_config('DateStyle', 'ISO, YMD', true),
  set_config('IntervalStyle', 'postgres', true), set_config('bytea_output', 'hex', true),
  set_config('extra_float_digits', '1', true), set_config('xmlbinary', 'base64', true)
"""
_SERVER = "SELECT (pg_postmaster_start_time() AT TIME ZONE 'UTC')::text"
_TLS = "SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid()"


# Python would print a library's warnings beside our log, whose lines are JSON.
logging.getLogger("psycopg").addHandler(logging.NullHandler())


def _texts() -> AdaptersMap:
    """Every value as PostgreSQL prints it: none that Python could not hold, none that it would round."""
    adapters = AdaptersMap(psycopg.adapters)
    for info in adapters.types:
        for oid in filter(None, (info.oid, info.array_oid)):
            adapters.register_loader(oid, TextLoader)
    return adapters


class PsycopgClient:
    """See DatabaseClient. Each question has a connection of its own."""

    def __init__(self, credentials: Credentials, port: int) -> None:
        self._credentials = credentials
        self._port = port
        self._adapters = _texts()

    def ask(self, session: Session, question: Question) -> Answer:
        """See DatabaseClient."""
        parameters = [list(each) for each in question.parameters] or None
        with self._session(session, read_only=True, complete=question.complete) as connection:
            # `stream` fetches row by row, and its protocol takes one statement only: no COMMIT can end
            # the read-only transaction and go on
            rows: Any = connection.cursor().stream(question.sql, parameters)
            with closing(rows):
                found = tuple(islice(rows, question.limit + 1))
            return Answer(found[: question.limit], more=len(found) > question.limit)

    def log_in(self, session: Session) -> str:
        """See DatabaseClient."""
        with self._session(session, read_only=False, complete=False) as connection:
            [(tls,)] = connection.execute(_TLS).fetchall()
            connection.execute("CREATE TEMPORARY TABLE kanfunc_login (value text) ON COMMIT DROP")
            connection.execute("INSERT INTO kanfunc_login VALUES ('written')")
            read = connection.execute("SELECT value FROM pg_temp.kanfunc_login").fetchall()
            if read != [("written",)]:
                raise ClientFailed(f"what was written was not read back, but {read}", sqlstate="XX001")
            connection.commit()
            return str(tls)

    def addresses(self, user: str) -> list[tuple[str, str]]:
        """See DatabaseClient."""
        return self._credentials.addresses(user)

    @contextmanager
    def _session(
        self, session: Session, *, read_only: bool, complete: bool
    ) -> Iterator[psycopg.Connection[Any]]:
        """A transaction with the right server, rolled back in the end. Every error becomes ClientFailed."""
        try:
            with (
                TemporaryDirectory(
                    prefix="kanfunc-"
                ) as private,  # until the end: a cancellation logs in, too
                closing(self._connected(session, Path(private))) as connection,
            ):
                connection.read_only = read_only
                connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
                limits = {"statement": f"{session.seconds}s", "lock": f"{_LOCK_SECONDS}s"}
                connection.execute(_SETTINGS, {**limits, "policies": "off" if complete else "on"})
                _require_server(connection, session.server)
                if session.role:
                    connection.execute("SELECT set_config('role', %s, true)", (session.role,))
                yield connection
        except psycopg.Error as error:
            raise ClientFailed(" ".join(str(error).split()), sqlstate=error.sqlstate or "") from error
        except (OSError, UnicodeError) as error:
            raise ClientFailed(f"{type(error).__name__}: {error}") from error

    def _connected(self, session: Session, private: Path) -> psycopg.Connection[Any]:
        method = session.method or self._credentials.method(session.user)
        return psycopg.connect(
            host=session.host,
            port=self._port,
            dbname=session.database,
            user=session.user,
            sslmode="verify-full",
            sslrootcert=str(self._credentials.authority),
            gssencmode="disable",
            target_session_attrs="read-write",
            connect_timeout=_CONNECT_SECONDS,
            tcp_user_timeout=(session.seconds + _GRACE_SECONDS) * 1000,
            client_encoding="UTF8",
            application_name="kanfunc",
            context=self._adapters,
            **self._shown(session.user, method or PASSWORD, private),
        )

    def _shown(self, user: str, method: str, private: Path) -> dict[str, Any]:
        """What the user shows. The server must have asked for it: `trust` is no login."""
        if method == CERTIFICATE:
            key = private / "tls.key"
            # libpq refuses a key that others may read, as mounted Secrets are
            key.touch(mode=0o600)
            shutil.copyfile(self._credentials.file(user, "tls.key"), key)
            certificate = str(self._credentials.file(user, "tls.crt"))
            return {
                "sslcert": certificate,
                "sslkey": str(key),
                "sslcertmode": "require",
                "require_auth": "none",
            }
        return {"password": self._credentials.password(user), "sslcertmode": "disable",
                "require_auth": "scram-sha-256,md5,password"}  # fmt: skip


def _require_server(connection: psycopg.Connection[Any], started: str) -> None:
    [(found,)] = connection.execute(_SERVER).fetchall()
    if found != started:
        raise ClientFailed(f"the server that answered started at {found}, not at {started}", stranger=True)
