"""Real PostgreSQL: one server of one simulated instance."""

import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import psycopg
from psycopg.conninfo import make_conninfo

from tests.lab.apiserver import ExecRequest, Spawn
from tests.lab.binaries import Binaries
from tests.lab.certificates import APPLICATION_ROLE, REPLICATION_ROLE, InstanceTls
from tests.lab.workspace import Identity, LabError, Workspace

ACTION_SECONDS = 60.0
PROBE_SECONDS = 0.01
LOG_TAIL_BYTES = 4000
STOP_SIGNALS = {"smart": signal.SIGTERM, "fast": signal.SIGINT, "immediate": signal.SIGQUIT}

# Restored volumes stand at another path and beside other neighbours: like EDB's instance manager, the lab
# writes all of this anew before each start. ALTER SYSTEM keeps the last word: its file is read later.
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "ssl": "on",
    "wal_level": "logical",
    "hot_standby": "on",
    "max_connections": "40",
    "wal_keep_size": "128MB",
    "archive_timeout": "0",
    "wal_init_zero": "off",  # volumes are copied often: sparse segments cost little
    "shared_buffers": "16MB",
    "dynamic_shared_memory_type": "mmap",  # nothing in /dev/shm that a kill could leave
    "fsync": "off",
    "jit": "off",
    "logging_collector": "off",
    "log_destination": "stderr",
}
# The lab's own sessions, whatever a test has set for roles, databases or the server.
SESSION = {
    "search_path": "public",
    "role": "none",
    "statement_timeout": "0",
    "lock_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "idle_session_timeout": "0",
    "default_transaction_isolation": r"read\ committed",
    "default_transaction_read_only": "off",
    "row_security": "on",
    "client_min_messages": "warning",
    "lc_messages": "C",
    "DateStyle": "ISO",
    "quote_all_identifiers": "off",
    "client_encoding": "UTF8",
    "local_preload_libraries": "",
    "session_preload_libraries": "",
}
HOST_BASED_AUTHENTICATION = f"""\
local   all         all                              peer map=local
hostssl replication {REPLICATION_ROLE} 127.0.0.1/32  cert
hostssl all         all                127.0.0.1/32  cert
"""


class Server:
    """One PostgreSQL of one instance; `name` is its application_name, PGDATA is `volume`/pgdata.

    `tablespaces` are volumes by the name of the tablespace, whose directory in it has the same name.
    The volumes are new directories or copies of another server's. The order is always `initdb`, `clone_from`
    or a copy, then `configure`, then `start`. `port` belongs to the server for its whole life, also while it
    is stopped; `log` is what PostgreSQL says. Methods raise LabError with PostgreSQL's own words, and
    psycopg.Error for a statement.
    """

    def __init__(
        self,
        workspace: Workspace,
        binaries: Binaries,
        *,
        name: str,
        volume: Path,
        tls: InstanceTls,
        wal_volume: Path | None = None,
        tablespaces: Mapping[str, Path] = MappingProxyType({}),
        port: int | None = None,
    ) -> None:
        self.name = name
        self.volume = volume
        self.wal_volume = wal_volume
        self.tablespaces = tablespaces
        self.pgdata = volume / "pgdata"
        self.port = port or workspace.reserve_port()
        self._workspace = workspace
        self._identity = workspace.identity
        self._binaries = binaries
        self._process: subprocess.Popen[bytes] | None = None
        self._settings: dict[str, str] = {}
        self.variables: dict[str, str] = {}
        """Of its environment, and of that of commands in its pod."""
        for directory in filter(None, (volume, wal_volume, *tablespaces.values())):
            self._identity.directory(directory)
        self._private = workspace.private_directory("pg-")
        self.log = self._private / "postgresql.log"
        self._ca = self._identity.write(self._private / "ca.crt", tls.authority)
        self._certificate = tls.server.write(self._private, "server", self._identity)
        self._replication = tls.replication.write(self._private, REPLICATION_ROLE, self._identity)

    def initdb(self) -> None:
        """Make a new, empty database system with data checksums and superuser `postgres`."""
        options = ["--data-checksums", "--encoding=UTF8", "--locale=C", "--username=postgres", "--no-sync"]
        self._run("initdb", "--pgdata", str(self.pgdata), "--no-instructions", *options, *self._waldir())

    def clone_from(self, primary: "Server") -> None:
        """Copy a running server over TLS, as `streaming_replica` with its client certificate."""
        options = ["--checkpoint=fast", "--wal-method=stream", "--no-sync", "--no-manifest"]
        conninfo = self._conninfo(primary)
        for name, location in primary._locations().items():
            options.append(f"--tablespace-mapping={location}={self._locations()[name]}")
        self._run(
            "pg_basebackup", "--pgdata", str(self.pgdata), "--dbname", conninfo, *options, *self._waldir()
        )

    def configure(
        self,
        *,
        upstream: "Server | None" = None,
        archive: Path | None = None,
        parameters: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """Write everything in PGDATA that depends on where the volume stands; due before each start.

        `upstream` is whom it follows when it is started as a standby; without one it replays what it has, and
        what `archive` (a directory standing for the object store) holds. WAL is archived there too.
        `parameters` are settings of the cluster's owner.
        """
        settings = SETTINGS | dict(parameters) | self._local_settings()
        settings["primary_conninfo"] = self._conninfo(upstream) if upstream else ""
        if archive:
            settings |= _archive_settings(self._identity.directory(archive))
        self._settings = settings
        self._write_settings()
        self._write("pg_hba.conf", HOST_BASED_AUTHENTICATION)
        self._write("pg_ident.conf", "".join(self._identity_map()))
        self._include_lab_conf()
        self._link_wal()
        self._link_tablespaces()

    def adjust(self, **settings: str) -> None:
        """Change settings, which need no restart, of a running server until it is configured anew."""
        if settings.items() - self._settings.items():
            self._settings |= settings
            self._write_settings()
            self.sql("SELECT pg_reload_conf()")

    def start(self, *, standby: bool, seconds: float = ACTION_SECONDS) -> None:
        """Start as a standby or not, and wait until it accepts connections."""
        if self.running:
            raise LabError(f"{self.name} is running already")
        # A hot copy brings the number of a process that, unlike in a pod, may live here: the copied server.
        (self.pgdata / "postmaster.pid").unlink(missing_ok=True)
        (self.pgdata / "standby.signal").unlink(missing_ok=True)
        if standby:
            self._write("standby.signal", "")
        command = [str(self._binaries.directory / "postgres"), "-D", str(self.pgdata)]
        self._process = self._workspace.spawn(command, self.environment(), log=self.log)
        self._wait_until_ready(self._process, seconds)

    def stop(self, mode: Literal["fast", "immediate", "smart"] = "fast") -> None:
        """Stop and wait for the end; harmless when it is not running."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.send_signal(STOP_SIGNALS[mode])
        try:
            self._process.wait(ACTION_SECONDS)
        except subprocess.TimeoutExpired as error:
            raise LabError(f"{self.name} did not stop ({mode})\n{self._log_tail()}") from error

    def promote(self) -> None:
        """Promote a standby and wait until it has left recovery."""
        [(promoted,)] = self.sql("SELECT pg_promote(true, %s)", int(ACTION_SECONDS))
        if not promoted:
            raise LabError(f"{self.name} was not promoted in {ACTION_SECONDS:.0f} s\n{self._log_tail()}")

    def create_roles(self) -> None:
        """Create, on a new primary, `streaming_replica` and `app` with its database `app`."""
        self.sql(f"CREATE ROLE {REPLICATION_ROLE} LOGIN REPLICATION")
        self.sql(f"CREATE ROLE {APPLICATION_ROLE} LOGIN")
        self.sql(f"CREATE DATABASE {APPLICATION_ROLE} OWNER {APPLICATION_ROLE}")

    def create_tablespaces(self) -> None:
        """Create, on a new primary, its tablespaces for `app`."""
        for name, location in self._locations().items():
            self._identity.directory(location)
            self.sql(f"CREATE TABLESPACE {name} OWNER {APPLICATION_ROLE} LOCATION '{location}'")

    @property
    def running(self) -> bool:
        """Whether the postmaster runs now, by the kernel's account."""
        return self._process is not None and self._process.poll() is None

    def controldata(self) -> dict[str, str]:
        """Return what `pg_controldata` prints, as label and value."""
        lines = self._run("pg_controldata", "--pgdata", str(self.pgdata)).splitlines()
        pairs = (line.partition(":") for line in lines)
        return {label.strip(): value.strip() for label, _, value in pairs}

    def sql(
        self, query: str, *parameters: object, dbname: str = "postgres", user: str = "postgres"
    ) -> list[tuple[Any, ...]]:
        """Run one statement over the Unix socket, as superuser or `app`, committed by itself; its rows."""
        settings = self._session() if user == "postgres" else {"search_path": "public"}
        with psycopg.connect(
            host=str(self._private),
            port=self.port,
            user=user,
            dbname=dbname,
            options=" ".join(f"-c {name}={value}" for name, value in settings.items()),
            autocommit=True,
            connect_timeout=10,
        ) as connection:
            cursor = connection.execute(query, parameters or None)
            return cursor.fetchall() if cursor.description else []

    def _session(self) -> dict[str, str]:
        since_17 = {"transaction_timeout": "0", "event_triggers": "off"}
        return SESSION | (since_17 if int(self._binaries.version.partition(".")[0]) >= 17 else {})

    def exec(self, request: ExecRequest) -> Spawn:
        """A command in its container, as a process of the machine."""
        user, folder = self._identity, str(self._workspace.path)
        return Spawn(list(request.command), self.environment(), folder, user.user, user.group)

    def environment(self) -> dict[str, str]:
        """Return what a process sees that is exec'd in the pod's container `postgres`."""
        return self._workspace.environment(
            self._binaries.directory,
            PGDATA=str(self.pgdata),
            PGHOST=str(self._private),
            PGPORT=str(self.port),
            **self.variables,
        )

    def _run(self, program: str, *arguments: str) -> str:
        command = [str(self._binaries.directory / program), *arguments]
        return self._workspace.run(command, self.environment(), seconds=ACTION_SECONDS)

    def _write(self, name: str, content: str) -> None:
        self._identity.write(self.pgdata / name, content)

    def _waldir(self) -> list[str]:
        return ["--waldir", str(self.wal_volume / "pg_wal")] if self.wal_volume else []

    def _conninfo(self, upstream: "Server") -> str:
        return make_conninfo(
            hostaddr="127.0.0.1",
            port=upstream.port,
            user=REPLICATION_ROLE,
            application_name=self.name,
            sslmode="verify-ca",
            sslcert=str(self._replication.certificate),
            sslkey=str(self._replication.key),
            sslrootcert=str(self._ca),
        )

    def _local_settings(self) -> dict[str, str]:
        return {
            "port": str(self.port),
            "unix_socket_directories": str(self._private),
            "ssl_cert_file": str(self._certificate.certificate),
            "ssl_key_file": str(self._certificate.key),
            "ssl_ca_file": str(self._ca),
        }

    def _identity_map(self) -> Iterator[str]:
        for login in sorted({self._identity.name, Identity.current().name}):
            for role in ("postgres", APPLICATION_ROLE):
                yield f'local "{login}" {role}\n'

    def _include_lab_conf(self) -> None:
        path, directive = self.pgdata / "postgresql.conf", "include 'lab.conf'\n"
        content = path.read_text()
        if not content.endswith(directive):
            self._write(path.name, content + directive)

    def _link_wal(self) -> None:
        if self.wal_volume:
            link = self.pgdata / "pg_wal"
            link.unlink()
            link.symlink_to(self.wal_volume / "pg_wal")

    def _link_tablespaces(self) -> None:
        for link in (self.pgdata / "pg_tblspc").iterdir():
            name = link.readlink().name
            link.unlink()
            link.symlink_to(self._locations()[name])

    def _locations(self) -> dict[str, Path]:
        return {name: volume / name for name, volume in self.tablespaces.items()}

    def _write_settings(self) -> None:
        lines = (f"{key} = {_quoted(value)}\n" for key, value in self._settings.items())
        self._write("lab.conf", "".join(lines))

    def _wait_until_ready(self, process: subprocess.Popen[bytes], seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not self._ready(process.pid):
            try:
                code = process.wait(PROBE_SECONDS)
            except subprocess.TimeoutExpired:
                if time.monotonic() < deadline:
                    continue
                self.stop("immediate")
                raise LabError(f"{self.name} did not accept connections\n{self._log_tail()}") from None
            raise LabError(f"{self.name} ended with exit code {code}\n{self._log_tail()}")

    def _ready(self, pid: int) -> bool:
        """Read postmaster.pid: the first line is the postmaster's number, the eighth its status."""
        try:
            lines = (self.pgdata / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        return lines[:1] == [str(pid)] and [line.strip() for line in lines[7:8]] == ["ready"]

    def _log_tail(self) -> str:
        return self.log.read_bytes()[-LOG_TAIL_BYTES:].decode(errors="replace")


def _archive_settings(archive: Path) -> dict[str, str]:
    return {
        "archive_mode": "on",
        "archive_command": f"test ! -f {archive}/%f && cp %p {archive}/.%f && mv {archive}/.%f {archive}/%f",
        "restore_command": f"cp {archive}/%f %p",
    }


def _quoted(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
