"""One server in a simulated pod, and what our gateways ask of it: the quick way to try one thing."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from kubernetes import client

from kanfunc.domain.examination import Examination, ExaminationLimits, Obstacle
from kanfunc.domain.survey import Survey
from kanfunc.gateways.instances import PodInstances
from kanfunc.gateways.podexec import PodExec
from kanfunc.gateways.structure import PodStructure
from tests.builders import REF
from tests.lab.apiserver import NAMESPACES, PODS, ApiServer, ExecRequest, Spawn, Store
from tests.lab.postgres import Server

POD = "pg-1"
ExecHandler = Callable[[ExecRequest], Spawn]


@dataclass(frozen=True)
class Examined:
    """A run, and what was in pg_amcheck's way before it."""

    run: Examination
    obstacles: tuple[Obstacle, ...]


def examined(structure: PodStructure, pod: str, limits: ExaminationLimits) -> Examined:
    """As depth structure does it."""
    obstacles = structure.prepare(REF, pod, limits)
    run = Examination()
    amcheck = not any(each.bars for each in obstacles)
    with structure.examining(REF, pod, limits, amcheck=amcheck) as follow:
        follow(run.read)
    return Examined(run, obstacles)


@dataclass(frozen=True)
class Pod:
    """Our gateways, at work in the pod of a server."""

    instances: PodInstances
    structure: PodStructure
    pods: PodExec

    def survey(self) -> Survey:
        return self.structure.survey(REF, POD, 30)

    def examine(self, *, install: bool = False) -> Examined:
        limits = ExaminationLimits(seconds=30, install_amcheck=install)
        return examined(self.structure, POD, limits)


@contextmanager
def pod_of(server: Server, handler: ExecHandler | None = None) -> Iterator[Pod]:
    """handler: what makes a process of a command, where it is not the server itself."""
    store = Store()
    store.create(NAMESPACES, {"metadata": {"name": REF.namespace}})
    containers = [{"name": "postgres", "image": "none"}]
    metadata = {"name": POD, "namespace": REF.namespace}
    store.create(PODS, {"metadata": metadata, "spec": {"containers": containers}})
    with ApiServer(store, handler or server.exec) as api:
        pods = PodExec(client.Configuration(host=api.url))
        yield Pod(PodInstances(pods), PodStructure(pods), pods)
