"""The application of the lab: it commits one row after another over verified TLS and notices every pause."""

import threading
import time
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import psycopg
from psycopg.conninfo import make_conninfo

from tests.lab.certificates import APPLICATION_ROLE, KeyFiles

STOP_SECONDS = 30.0


def client_dsn(*, host: str, port: int, certificate: KeyFiles, authority: Path) -> str:
    """Return the conninfo of `app`: the server is verified as `host` and reached on 127.0.0.1:`port`."""
    return make_conninfo(
        host=host,
        hostaddr="127.0.0.1",
        port=port,
        dbname=APPLICATION_ROLE,
        user=APPLICATION_ROLE,
        sslmode="verify-full",
        sslcert=str(certificate.certificate),
        sslkey=str(certificate.key),
        sslrootcert=str(authority),
        connect_timeout=10,
    )


@dataclass(frozen=True)
class Commit:
    """A row whose commit the server has acknowledged, at `acknowledged` seconds of the monotonic clock."""

    acknowledged: float
    value: int


class Writer:
    """A thread that commits one row of table `ledger` every `interval` seconds, until it is stopped.

    It never reconnects, because the primary is never to be disturbed: losing the connection ends it.
    """

    def __init__(self, dsn: str, *, interval: float = 0.005) -> None:
        self._dsn = dsn
        self._interval = interval
        self._commits: list[Commit] = []
        self._progress = threading.Condition()
        self._stopping = threading.Event()
        self._ended: float | None = None
        self._error: psycopg.Error | None = None
        self._thread = threading.Thread(target=self._run, name="lab-writer", daemon=True)

    def start(self) -> None:
        """Connect, create the table where it is missing, commit the first row, then go on in the thread.

        Raises psycopg.Error when that much is not possible.
        """
        self._connection = psycopg.connect(self._dsn, autocommit=True)
        try:
            self._connection.execute(
                "CREATE TABLE IF NOT EXISTS ledger (value bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY)"
            )
            self._commit()
        except psycopg.Error:
            self._connection.close()
            raise
        self._thread.start()

    def stop(self) -> None:
        """End the thread and the connection. Raises the psycopg.Error that ended it early, if one did.

        Raises TimeoutError when a commit is not acknowledged within STOP_SECONDS.
        """
        self._stopping.set()
        self._thread.join(STOP_SECONDS)
        if self._thread.is_alive():
            raise TimeoutError(f"a commit has not been acknowledged for {self.longest_gap:.1f} s")
        if self._error:
            raise self._error

    def wait_for(self, commits: int, *, seconds: float = 30.0) -> None:
        """Wait until so many commits in all are acknowledged. Raises TimeoutError when they are not."""
        with self._progress:
            if not self._progress.wait_for(lambda: len(self._commits) >= commits, seconds):
                raise TimeoutError(f"{len(self._commits)} of {commits} commits in {seconds:.0f} s")

    @property
    def commits(self) -> tuple[Commit, ...]:
        """The commits acknowledged so far, oldest first."""
        return tuple(self._commits)

    @property
    def longest_gap(self) -> float:
        """Longest time without an acknowledged commit, in seconds, from the first until the end or now."""
        times = [commit.acknowledged for commit in self.commits]
        times.append(self._ended or time.monotonic())
        return max((later - earlier for earlier, later in pairwise(times)), default=0.0)

    def _run(self) -> None:
        with self._connection:
            try:
                while not self._stopping.wait(self._interval):
                    self._commit()
            except psycopg.Error as error:
                self._error = error
            finally:
                self._ended = time.monotonic()

    def _commit(self) -> None:
        row = self._connection.execute("INSERT INTO ledger DEFAULT VALUES RETURNING value").fetchone()
        assert row is not None, "INSERT ... RETURNING returns its row"
        with self._progress:
            self._commits.append(Commit(time.monotonic(), row[0]))
            self._progress.notify_all()
