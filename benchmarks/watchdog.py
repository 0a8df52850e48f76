"""What the watchdog costs over many objects: its memory, its requests, its looks.

    python -m benchmarks.watchdog [--quick] [--idle 60]

The watchdog is the real process, as its pod runs it. The API server is the lab's, and each object is made as
large as real ones are (8 kB). One cluster is seven objects: itself, three pods, three claims. A watch is
renewed every 300 s: an idle hour has the requests of the window, which must be none, and 12 for each watch.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.measure import Figure
from benchmarks.served import Served, requests, served
from kanfunc.gateways.fleet import WATCH_SECONDS
from tests.lab.apiserver import EDB_CLUSTERS, ApiServer, Manifest
from tests.lab.scripted import Scripted

OBJECT_BYTES = 8192
QUIET_SECONDS = 2.0
FEW, THOUSAND_OBJECTS, THOUSAND_CLUSTERS = 2, 143, 1000
"""Clusters: 14, 1,001 and 7,000 objects."""
CHANGES = 10
MEMORY_AIM = 2.0


@dataclass(frozen=True)
class Watched:
    """Private memory in kB, now and at most; requests by kind; looks for each change of each sort."""

    memory: int
    peak: int
    start: Counter[str]
    idle: Counter[str]
    looks: float
    looks_at_status: float


def kubeconfig(path: Path, _: Scripted, server: ApiServer) -> None:
    server.write_kubeconfig(path)


def annotate(world: Scripted, _: ApiServer) -> None:
    """A person writes to a Cluster."""
    for _change in range(CHANGES):
        write(world, lambda there: there["metadata"]["annotations"].update(note=fresh(world)))
        time.sleep(0.2)  # noqa: TID251 - changes that come together are one look


def report(world: Scripted, _: ApiServer) -> None:
    """The operator writes what decides nothing, as it does all the time."""
    for _change in range(CHANGES):
        write(world, lambda there: there["status"].update(phase=fresh(world)), status=True)


def write(world: Scripted, edit: Callable[[Manifest], None], *, status: bool = False) -> None:
    ref = world.refs[0]
    world.store.update(EDB_CLUSTERS, ref.namespace, ref.name, edit, status=status)


def fresh(world: Scripted) -> str:
    """A value that was not there before."""
    return f"{world.store.resource_version}"


@contextmanager
def watching(api: Served) -> Iterator[int]:
    """The watchdog's process."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "kubeconfig"
        api.do(partial(kubeconfig, path))
        command = [sys.executable, "-m", "kanfunc", "watchdog", "--port", "0"]
        env = {**os.environ, "KUBECONFIG": str(path)}
        with (Path(folder) / "log").open("w+") as log:
            process = subprocess.Popen(command, env=env, stderr=log)
            try:
                yield process.pid
            finally:
                process.terminate()
                process.wait(30)
                log.seek(0)
                require_calm(log.read())


def require_calm(log: str) -> None:
    """A watchdog whose looks fail would be cheap."""
    steps = [json.loads(line) for line in log.splitlines()]
    if bad := [step for step in steps if step["level"] != "info"]:
        raise AssertionError(f"it did not run in peace: {bad[:3]}")


def settled(api: Served) -> Counter[str]:
    """The requests until none came for a while."""
    found: Counter[str] = Counter()
    while True:
        time.sleep(QUIET_SECONDS)  # noqa: TID251 - that nothing comes is seen by waiting
        new = api.do(requests)
        if not new and found:
            return found
        found += new


def memory_of(pid: int) -> tuple[int, int]:
    """kB of anonymous memory: now, and at most (what was resident at most, less the files)."""
    lines = (line.partition(":") for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    found = {key: int(rest.split()[0]) for key, _, rest in lines if rest.endswith("kB")}
    return found["RssAnon"], found["VmHWM"] - found["RssFile"]


def watched(clusters: int, idle: float) -> Watched:
    with served(partial(Scripted, clusters, 0, 0, padding=OBJECT_BYTES)) as api, watching(api) as pid:
        start = settled(api)
        time.sleep(idle)  # noqa: TID251 - the window
        resting = api.do(requests)
        memory, most = memory_of(pid)
        api.do(annotate)
        looks = settled(api)["get clusters"] / CHANGES
        api.do(report)
        time.sleep(QUIET_SECONDS)  # noqa: TID251 - that nothing comes is seen by waiting
        return Watched(memory, most, start, resting, looks, api.do(requests)["get clusters"] / CHANGES)


def figures(quick: bool, idle: float = 10) -> list[Figure]:  # noqa: FBT001 - as every benchmark
    """Memory beside that over few objects; requests and looks."""
    few = watched(FEW, 0)
    found = []
    for clusters in (THOUSAND_OBJECTS,) if quick else (THOUSAND_OBJECTS, THOUSAND_CLUSTERS):
        many, of = watched(clusters, idle), f"watchdog, {clusters * 7:,} objects"
        watches = (
            many.start["watch clusters"]
            + many.start["watch pods"]
            + many.start["watch persistentvolumeclaims"]
        )
        hourly = many.idle.total() * 3600 / max(idle, 1) + watches * 3600 / WATCH_SECONDS
        aim = MEMORY_AIM if clusters == THOUSAND_OBJECTS else None
        found += [
            Figure(f"{of}: private memory", many.memory / few.memory, "x 14 objects", aim),
            Figure(f"{of}: private memory", many.memory / 1024, "MB", None),
            Figure(f"{of}: most memory ever", many.peak / few.peak, "x 14 objects", None),
            Figure(f"{of}: requests at start", many.start.total() / clusters, "per cluster", None),
            Figure(f"{of}: idle", many.idle.total(), f"requests in {idle:g} s", 0),
            Figure(f"{of}: idle", hourly, "requests per hour", None),
            Figure(f"{of}: annotation written", many.looks, "looks per change", 1),
            Figure(f"{of}: status written", many.looks_at_status, "looks per change", 0),
        ]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a thousand objects only")
    parser.add_argument("--idle", type=float, default=60, help="seconds of the idle window")
    chosen = parser.parse_args()
    for figure in figures(chosen.quick, chosen.idle):
        print(figure)


if __name__ == "__main__":
    main()
