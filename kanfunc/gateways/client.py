"""A client of the database, as applications are: libpq over the network, verified TLS."""

import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from socket import SHUT_RDWR, socket
from tempfile import TemporaryDirectory
from typing import Any

import psycopg
from psycopg.adapt import AdaptersMap
from psycopg.types.string import TextLoader

from kanfunc.domain.codec import short
from kanfunc.domain.errors import ClientFailed, Refused
from kanfunc.domain.inquiry import Answer, Question, Session
from kanfunc.gateways import sessions
from kanfunc.gateways.credentials import CERTIFICATE, PASSWORD, Credentials
from kanfunc.gateways.cutting import cut_after
from kanfunc.gateways.foreign import one_line, told
from kanfunc.gateways.narrowing import narrowed
from kanfunc.ports import Ask

_CONNECT_SECONDS, _LOCK_SECONDS, _GRACE_SECONDS = 10, 5, 5
_CANCELED = "57014"
_SHOWN, _MESSAGE = 100, 2000
"""Characters of what the server says that are told: it may say a gigabyte, and what was shown to it."""

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
    """See DatabaseClient. Each conversation has a connection of its own."""

    def __init__(self, credentials: Credentials, port: int) -> None:
        self._credentials = credentials
        self._port = port
        self._adapters = _texts()

    @contextmanager
    def conversation(self, session: Session) -> Iterator[Ask]:
        """See DatabaseClient."""
        with self._session(session, read_only=True) as connection:
            yield partial(_answered, connection, session)

    def log_in(self, session: Session) -> str:
        """See DatabaseClient."""
        with self._session(session, read_only=False) as connection:
            [(tls,)] = connection.execute(_TLS).fetchall()
            connection.execute("CREATE TEMPORARY TABLE kanfunc_login (value text) ON COMMIT DROP")
            connection.execute("INSERT INTO kanfunc_login VALUES ('written')")
            read = connection.execute("SELECT value FROM pg_temp.kanfunc_login").fetchall()
            if read != [("written",)]:
                raise ClientFailed(
                    f"what was written was not read back, but {short(str(read))}", sqlstate="XX001"
                )
            connection.commit()
            return one_line(str(tls), _SHOWN)

    def addresses(self, user: str) -> list[tuple[str, str]]:
        """See DatabaseClient."""
        return self._credentials.addresses(user)

    @contextmanager
    def _session(self, session: Session, *, read_only: bool) -> Iterator[psycopg.Connection[Any]]:
        """A transaction with the right server, rolled back in the end. Every error becomes ClientFailed."""
        end = _End(session.seconds + _GRACE_SECONDS)
        try:
            with (
                TemporaryDirectory(
                    prefix="kanfunc-"
                ) as private,  # until the end: a cancellation logs in, too
                closing(self._connected(session, Path(private))) as connection,
                end.of(connection),
            ):
                connection.read_only = read_only
                connection.isolation_level = psycopg.IsolationLevel.READ_COMMITTED
                _begin(connection, session)
                _require_server(connection, session)
                yield connection
        except psycopg.Error as error:
            if end.came:
                found = f"no end within {end.seconds} s"
                raise ClientFailed(found, sqlstate=_CANCELED) from error
            raise ClientFailed(one_line(str(error), _MESSAGE), sqlstate=error.sqlstate or "") from error
        except (OSError, UnicodeError) as error:
            raise ClientFailed(f"{type(error).__name__}: {told(error)}") from error

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
            options=sessions.at_startup(session.version, **_limits(session)),
            tcp_user_timeout=(session.seconds + _GRACE_SECONDS) * 1000,
            client_encoding="UTF8",
            application_name="kanfunc",
            context=self._adapters,
            prepare_threshold=None,
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


@dataclass
class _End:
    """Cuts a connection after so many seconds: a function that a query runs may ignore that it is canceled,
    and the wait for a synchronous standby knows no time limit. The server ends what has lost its client.
    """

    seconds: int
    came: bool = False

    @contextmanager
    def of(self, connection: psycopg.Connection[Any]) -> Iterator[None]:
        with socket(fileno=os.dup(connection.fileno())) as wire:

            def cut() -> None:
                self.came = True
                wire.shutdown(SHUT_RDWR)

            with cut_after(self.seconds, cut):
                yield


def _limits(session: Session) -> dict[str, str]:
    """What this session sets otherwise than the pins: its transactions say themselves what they may write."""
    seconds = f"{session.seconds}s"
    return {
        "statement_timeout": seconds,
        "idle_in_transaction_session_timeout": seconds,
        "lock_timeout": f"{_LOCK_SECONDS}s",
        "default_transaction_read_only": "off",
    }


def _begin(connection: psycopg.Connection[Any], session: Session) -> None:
    """Pin the transaction; refuse a superuser, as whom nothing has run by now."""
    _pin(connection, session)
    if connection.info.parameter_status("is_superuser") == "on":
        raise Refused(
            f"{session.user} is a superuser in database {session.database}",
            expected="checks that log in as a user with the least rights that they need",
            remedy="let another user make them: docs/checks.md says which rights it needs",
        )
    _take_on(connection, session)


def _pin(connection: psycopg.Connection[Any], session: Session) -> None:
    connection.execute(sessions.in_transaction(connection.info.server_version // 10_000, **_limits(session)))


def _take_on(connection: psycopg.Connection[Any], session: Session) -> None:
    """The user becomes the role."""
    if session.role:
        connection.execute("SELECT set_config('role', %s, true)", (session.role,))


def _require_server(connection: psycopg.Connection[Any], session: Session) -> None:
    [(found,)] = connection.execute(_SERVER).fetchall()
    if found != session.server:
        raise ClientFailed(
            f"the server that answered started at {one_line(str(found), _SHOWN)}, not at {session.server}",
            stranger=True,
        )


def _answered(connection: psycopg.Connection[Any], session: Session, question: Question) -> Answer:
    """The answer to one question. `stream` fetches row by row, and its protocol takes one statement only: no
    COMMIT can end the read-only transaction and go on.

    Pinned anew: what an owner has attached to the table of the question before may have set anything.
    """
    _pin(connection, session)
    _take_on(connection, session)
    connection.execute(f"SET LOCAL row_security = {'off' if question.complete else 'on'}")
    parameters = [list(each) if isinstance(each, tuple) else each for each in question.parameters] or None
    sql = question.sql
    if question.width is not None:
        connection.execute("SET LOCAL search_path TO DEFAULT")
        sql = narrowed(connection, sql, question.width)
    if not question.limit:
        connection.execute(sql)
        return Answer(())
    rows: Any = connection.cursor().stream(sql, parameters)
    with closing(rows):
        found = tuple(islice(rows, question.limit + 1))
    return Answer(found[: question.limit], more=len(found) > question.limit)
