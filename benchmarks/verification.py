"""What depth structure costs beside plain `pg_amcheck` over the same database in the same run, and in memory.

    python -m benchmarks.verification [--scale 300] [--jobs 2] [--rounds 9] [--bare] [--cold]

pgbench's tables; scale 300 is 4.7 GB. Each round reads the data files from end to end, as the disk's measure,
then runs the two. The database lies where the lab's files do: in shared memory unless KANFUNC_LAB_DIR says
otherwise, so that what is measured is the processor's work. --cold drops the page cache before each of the
three, as after a restore (needs root, and a KANFUNC_LAB_DIR on a disk).
"""

import argparse
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from kubernetes import client

from benchmarks.measure import Figure
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
CHUNK = 1 << 20
BOUND = "amcheck keeps as many cores busy as it has jobs, and each page is read a second time"


class Bench:
    """One PostgreSQL with pgbench's tables, and a pod of it behind an API server."""

    def __init__(self, workspace: Workspace, extensions: Sequence[str]) -> None:
        self._workspace = workspace
        self.jobs = 2
        self.execs = 0
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

    def read(self) -> None:
        buffer = bytearray(CHUNK)
        for path in (self.server.pgdata / "base").glob("*/*"):
            with path.open("rb", buffering=0) as file:
                while file.readinto(buffer):
                    pass

    def plain(self) -> None:
        self._run("pg_amcheck", "--all", f"--jobs={self.jobs}", "-U", "postgres")

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
            return structure_of(
                REF, POD, None, ports, ExaminationLimits(jobs=self.jobs), version=self._binaries.version
            )

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._binaries.directory / program), *arguments]
        self._workspace.run(command, self.server.environment(), seconds=1800)

    def _spawn(self, request: ExecRequest) -> Spawn:
        self.execs += 1
        return self.server.exec(request)


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


@dataclass
class Measured:
    """With so many jobs. sizes: of the database, and of the one ten times smaller before it; memory in kB of
    both, likewise."""

    jobs: int
    sizes: list[int] = field(default_factory=list)
    memory: list[dict[str, int]] = field(default_factory=list)
    rounds: list[tuple[float, float, float]] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    execs: int = 0

    @property
    def ratio(self) -> float:
        return median(structure / plain for _, plain, structure in self.rounds)

    def grown(self, place: str) -> float:
        small, large = self.memory
        return large[place] / small[place]


def measure(
    scale: int, rounds: int, jobs: Sequence[int], *, bare: bool = False, cold: bool = False
) -> list[Measured]:
    """Over the same database with each of the jobs."""
    all_measured = [Measured(each) for each in jobs]
    with Workspace.open() as workspace:
        bench = Bench(workspace, ("amcheck",) if bare else ("amcheck", "pg_visibility"))
        for size in (max(1, scale // 10), scale):
            filled = bench.fill(size)
            for measured in all_measured:
                bench.jobs = measured.jobs
                measured.sizes.append(filled)
                measured.memory.append(memory(bench, workspace.path))
        for measured in all_measured:
            bench.jobs = measured.jobs
            for _ in range(rounds):
                actions = (bench.read, bench.plain, bench.structure)
                read, plain, structure = (seconds(each, cold=cold) for each in actions)
                measured.rounds.append((read, plain, structure))
            bench.execs = 0
            measured.findings = bench.structure()
            measured.execs = bench.execs
        bench.server.stop()
    return all_measured


def figures(quick: bool) -> list[Figure]:  # noqa: FBT001 - as every benchmark
    """quick: what does not depend on how busy the machine is, over a small database."""
    found = []
    pod = None if quick else 2.0  # a few MB, and a process that lives for a moment is seen by chance
    scale, rounds, jobs = (20, 0, [2]) if quick else (300, 9, [1, 2])
    for measured in measure(scale, rounds, jobs):
        of = f"structure of {measured.sizes[-1] / 1e9:.1f} GB, --jobs {measured.jobs}"
        found += [
            Figure(f"{of}: memory of kanfunc", measured.grown("ours"), "x a tenth of it", 1.1),
            Figure(f"{of}: memory in the pod", measured.grown("pod"), "x a tenth of it", pod),
            Figure(f"{of}, in the pod", measured.execs, "commands", None),
        ]
        if rounds:
            found.append(Figure(of, measured.ratio, "x plain pg_amcheck", 1.25, BOUND))
            read = median(read / plain for read, plain, _ in measured.rounds)
            found.append(Figure(f"{of}: reading the files alone", read, "x plain pg_amcheck", None))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scale", type=int, default=300)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--cold", action="store_true")
    parser.add_argument("--bare", action="store_true", help="as where pg_visibility is not installed")
    chosen = parser.parse_args()
    [measured] = measure(chosen.scale, chosen.rounds, [chosen.jobs], bare=chosen.bare, cold=chosen.cold)
    for finding in measured.findings:
        print(f"{finding.status}: {finding.check}: {finding.found}")
    small, size = (f"{each / 1e9:.1f} GB" for each in measured.sizes)
    print(f"{size}, --jobs {chosen.jobs}; each round read/plain/structure:")
    print(", ".join("/".join(f"{each:.2f}" for each in times) + " s" for times in measured.rounds))
    read = median(read / plain for read, plain, _ in measured.rounds)
    print(f"median {measured.ratio:.2f} x plain pg_amcheck; reading the files alone: {read:.2f} x")
    for place in ("ours", "pod"):
        before, after = (each[place] for each in measured.memory)
        print(f"memory, {place}: {before} kB at {small}, {after} kB at {size}, {measured.grown(place):.2f} x")


if __name__ == "__main__":
    main()
