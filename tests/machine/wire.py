"""The product over the real Kubernetes client and HTTP, before instances that only pretend."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from kubernetes import client

from kanfunc.domain.errors import KanfuncError
from kanfunc.domain.record import Changes
from kanfunc.domain.world import Cluster
from kanfunc.gateways import kubeclient
from kanfunc.gateways.kube import KubeApi
from kanfunc.operations.fence import fence
from kanfunc.operations.unfence import Outcome, unfence
from kanfunc.ports import Ports
from tests.lab.apiserver import STORAGE_CLASSES, VOLUME_SNAPSHOT_CLASSES, ApiServer
from tests.lab.operator.manifests import snapshot_class, storage_class
from tests.machine.actors import NO_STRUCTURE, Silence
from tests.machine.api import check_patch
from tests.machine.calls import FENCE_LIMITS, UNFENCE_LIMITS
from tests.machine.shell import SimulatedShell
from tests.machine.simulation import Simulation


class CheckedApi(KubeApi):
    """Every patch is checked, also one whose answer was lost."""

    def __init__(self, configuration: client.Configuration, simulation: Simulation) -> None:
        super().__init__(configuration)
        self._simulation = simulation

    def annotate(self, cluster: Cluster, changes: Changes, *, exact: bool = False) -> Cluster:
        before = self._simulation.cluster()
        try:
            return super().annotate(cluster, changes, exact=exact)
        finally:
            check_patch(self._simulation, before)


class Impatient:
    """Pauses take no time."""

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None: ...


@dataclass
class Ticking:
    """Time passes in the simulation while a command blocks."""

    simulation: Simulation
    listed: frozenset[str] = field(default_factory=frozenset)

    def wait(self) -> None:
        self.simulation.tick()


@dataclass
class Wire:
    """One cluster behind an API server; `port` is where the client finds it."""

    simulation: Simulation
    server: ApiServer
    port: int
    calls: int = 0

    def _ports(self) -> Ports:
        configuration = client.Configuration(host=f"http://127.0.0.1:{self.port}")
        configuration.retries = kubeclient._RETRIES.new(backoff_factor=0, respect_retry_after_header=False)
        shell = SimulatedShell(self.simulation, Ticking(self.simulation))
        api = CheckedApi(configuration, self.simulation)
        return Ports(api, shell, NO_STRUCTURE, Silence(), Impatient())

    def fence(self) -> int:
        """Its exit code."""
        self.calls += 1
        try:
            fence([self.simulation.ref], f"fence-{self.calls}", self._ports(), FENCE_LIMITS)
        except KanfuncError as failure:
            return failure.exit_code
        return 0

    def unfence(self, outcome: Outcome) -> int:
        """Its exit code."""
        try:
            unfence([self.simulation.ref], outcome, self._ports(), UNFENCE_LIMITS)
        except KanfuncError as failure:
            return failure.exit_code
        return 0


@contextmanager
def wired(simulation: Simulation) -> Iterator[Wire]:
    """Serve it, with a driver whose snapshots can be seen."""
    classes = ((STORAGE_CLASSES, storage_class()), (VOLUME_SNAPSHOT_CLASSES, snapshot_class()))
    for resource, manifest in classes:
        if not simulation.store.list(resource):
            simulation.store.create(resource, manifest | {"metadata": {"name": "fast"}})
    with ApiServer(simulation.store) as server:
        yield Wire(simulation, server, int(server.url.rpartition(":")[2]))
