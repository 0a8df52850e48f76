"""What depth structure costs beside plain `pg_amcheck` over the same database in the same run, and in memory.

    python -m benchmarks.verification [--scale 150] [--jobs 2] [--rounds 3] [--count] [--cold]

pgbench's tables: narrow rows, where looking for lost pages costs most. Scale 150 is 2.4 GB. The database lies
where the lab's files do: in shared memory unless KANFUNC_LAB_DIR says otherwise, so that what is measured is
the processor's work. --cold drops the page cache before each run, as after a restore (needs root).
"""

import argparse
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from kubernetes import client

from kanfunc.domain.examination import ExaminationLimits
from kanfunc.domain.finding import Finding
from kanfunc.domain.flavour import FLAVOURS
from kanfunc.domain.world import ClusterRef
from kanfunc.gateways.console import Console, LogFormat, SystemClock
from kanfunc.gateways.instances import PodInstances
from kanfunc.gateways.kube import KubeApi
from kanfunc.gateways.podexec import PodExec
from kanfunc.gateways.structure import PodStructure
from kanfunc.operations.structure import structure_of
from kanfunc.ports import Ports
from tests.lab.apiserver import NAMESPACES, PODS, ApiServer, ExecRequest, Spawn, Store
from tests.lab.binaries import Binaries
from tests.lab.certificates import Authority
from tests.lab.postgres import Server
from tests.lab.workspace import Workspace

REF = ClusterRef("bench", "bench", FLAVOURS[0])
POD = "bench-1"
SAMPLE_SECONDS = 0.05


class Bench:
    """One PostgreSQL with pgbench's tables, and a pod of it behind an API server."""

    def __init__(self, workspace: Workspace, jobs: int, extensions: Sequence[str]) -> None:
        self._workspace = workspace
        self._jobs = jobs
        self._binaries = Binaries.find(workspace)
        self.server = Server(
            workspace,
            self._binaries,
            name=POD,
            volume=workspace.directory("data"),
            tls=Authority.create().instance(["bench-rw"]),
        )
        self.server.initdb()
        self.server.configure()
        self.server.start(standby=False)
        for database in ("template1", "postgres"):
            for extension in extensions:
                self.server.sql(f"create extension {extension}", dbname=database)

    def fill(self, scale: int) -> int:
        """Make pgbench's tables anew; size of the database in bytes."""
        self._run("pgbench", "-i", "-q", "-s", f"{scale}", "-U", "postgres", "postgres")
        self.server.sql("vacuum (freeze, analyze)")
        self.server.sql("checkpoint")
        [(size,)] = self.server.sql("select pg_database_size('postgres')")
        return int(size)

    def plain(self) -> None:
        self._run("pg_amcheck", "--all", f"--jobs={self._jobs}", "-U", "postgres")

    def structure(self) -> list[Finding]:
        store = Store()
        store.create(NAMESPACES, {"metadata": {"name": REF.namespace}})
        container = {"name": "postgres", "image": "none"}
        metadata = {"name": POD, "namespace": REF.namespace}
        store.create(PODS, {"metadata": metadata, "spec": {"containers": [container]}})
        with ApiServer(store, self._spawn) as api:
            configuration = client.Configuration(host=api.url)
            pods = PodExec(configuration)
            shell, structure = PodInstances(pods), PodStructure(pods)
            journal = Console("benchmark", LogFormat.JSON)
            ports = Ports(KubeApi(configuration), shell, structure, journal, SystemClock())
            return structure_of(REF, POD, None, ports, ExaminationLimits(jobs=self._jobs))

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._binaries.directory / program), *arguments]
        self._workspace.run(command, self.server.environment(), seconds=1800)

    def _spawn(self, request: ExecRequest) -> Spawn:
        user = self._workspace.identity
        environment = self.server.environment()
        return Spawn(list(request.command), environment, str(self._workspace.path), user.user, user.group)


def seconds(action: Callable[[], object], *, cold: bool) -> float:
    if cold:
        os.sync()
        Path("/proc/sys/vm/drop_caches").write_text("3")
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def resident(process: Path) -> int:
    """Private memory of a process in kB; 0 when it has ended."""
    try:
        lines = (process / "status").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("RssAnon:"))


def in_pod(workspace: Path) -> int:
    """Private memory of all processes of the lab, PostgreSQL's included, in kB."""
    marker, total = f"KANFUNC_LAB={workspace}".encode(), 0
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if marker in (process / "environ").read_bytes().split(b"\0"):
                total += resident(process)
        except OSError:
            continue
    return total


@contextmanager
def watched(workspace: Path) -> Iterator[dict[str, int]]:
    """The most memory in kB that this process and those in the pod have meanwhile."""
    most, end = {"ours": 0, "pod": 0}, threading.Event()

    def sample() -> None:
        while not end.wait(SAMPLE_SECONDS):
            most["ours"] = max(most["ours"], resident(Path("/proc/self")))
            most["pod"] = max(most["pod"], in_pod(workspace))

    sampler = threading.Thread(target=sample)
    sampler.start()
    try:
        yield most
    finally:
        end.set()
        sampler.join()


def memory(bench: Bench, workspace: Path) -> dict[str, int]:
    with watched(workspace) as most:
        bench.structure()
    return most


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scale", type=int, default=150)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cold", action="store_true")
    parser.add_argument("--count", action="store_true", help="as where pg_visibility is not installed")
    chosen = parser.parse_args()
    with Workspace.open() as workspace:
        extensions = ("amcheck",) if chosen.count else ("amcheck", "pg_visibility")
        bench = Bench(workspace, chosen.jobs, extensions)
        small = bench.fill(max(1, chosen.scale // 10))
        before = memory(bench, workspace.path)
        size = bench.fill(chosen.scale)
        after = memory(bench, workspace.path)
        pairs = [
            (seconds(bench.plain, cold=chosen.cold), seconds(bench.structure, cold=chosen.cold))
            for _ in range(chosen.rounds)
        ]
        for finding in bench.structure():
            print(f"{finding.status}: {finding.check}: {finding.found}")
        bench.server.stop()
    print(f"{size / 1e9:.1f} GB, --jobs {chosen.jobs}; each round plain/structure:")
    print(", ".join(f"{plain:.2f}/{structure:.2f} s" for plain, structure in pairs))
    ratio = median(structure / plain for plain, structure in pairs)
    print(f"median {ratio:.2f} x plain pg_amcheck")
    for place in ("ours", "pod"):
        print(
            f"memory, {place}: {before[place]} kB at {small / 1e9:.1f} GB, "
            f"{after[place]} kB at {size / 1e9:.1f} GB, {after[place] / before[place]:.2f} x"
        )


if __name__ == "__main__":
    main()
