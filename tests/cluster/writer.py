"""A client that commits one row after the other, and what it saw acknowledged."""

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise

from tests.cluster.application import CLIENT, Application
from tests.cluster.node.client import KUBECTL, kubectl

_SCRIPT = """\
rm -f /tmp/stop; n=$(psql "$DATABASE_URL" -XAtqc 'SELECT coalesce(max(number), 0) FROM ticks')
until [ -e /tmp/stop ]; do
  n=$((n + 1))
  psql "$DATABASE_URL" -XAtqc "INSERT INTO ticks VALUES ($n)" && echo "$EPOCHREALTIME $n"
done"""


@dataclass(frozen=True)
class Commits:
    """What a client saw acknowledged, and the longest time in seconds that it waited for the next one."""

    numbers: tuple[int, ...]
    longest_gap: float


@contextmanager
def writing(application: Application) -> Iterator[list[Commits]]:
    """The client writes until the end of the block; then what it saw is in the list."""
    application.psql("CREATE TABLE IF NOT EXISTS ticks (number bigint PRIMARY KEY)")
    where = ["--namespace", application.namespace, CLIENT]
    seen: list[Commits] = []
    with tempfile.TemporaryFile("w+") as output:
        writer = subprocess.Popen([*KUBECTL, "exec", *where, "--", "bash", "-c", _SCRIPT], stdout=output)
        try:
            yield seen
        finally:
            kubectl("exec", *where, "--", "touch", "/tmp/stop")  # noqa: S108 - in the client's pod
            writer.wait(60)
        output.seek(0)
        lines = [line.split() for line in output]
    times = [float(time) for time, _ in lines]
    gaps = [after - before for before, after in pairwise(times)]
    seen.append(Commits(tuple(int(number) for _, number in lines), max(gaps)))


def kept(application: Application) -> set[int]:
    """Rows of that client which are there."""
    rows = application.psql("SELECT string_agg(number::text, ' ' ORDER BY number) FROM ticks")
    return {int(number) for number in rows.split()}
