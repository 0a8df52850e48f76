"""One simulated API server per test, with the healthy cluster in it, and the gateways in front of it."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client

from kanfunc.gateways import kubeclient
from kanfunc.gateways.kube import KubeApi
from kanfunc.gateways.podexec import PodExec
from tests.builders import REF, Manifest, healthy
from tests.lab.apiserver import (
    EDB_CLUSTERS,
    NAMESPACES,
    PODS,
    PVCS,
    ApiServer,
    ExecHandler,
    ExecRequest,
    Reply,
    Request,
    Resource,
    Spawn,
    Store,
)

FOREVER = 1000
"""Times that a fault befalls requests: more than are ever made."""


def of(plural: str, verb: str = "") -> Callable[[Request], bool]:
    """Requests for that type, or only those with that verb."""
    return lambda request: request.plural == plural and verb in {"", request.verb}


def put(store: Store, resource: Resource, manifest: Manifest) -> Manifest:
    """Store a manifest with its status, as a user and a controller do it together."""
    store.create(resource, manifest)
    name, status = manifest["metadata"]["name"], manifest.get("status") or {}
    namespace = manifest["metadata"].get("namespace", "")
    if not resource.status:
        return store.get(resource, namespace, name)
    return store.update(resource, namespace, name, lambda stored: stored.update(status=status), status=True)


class Containers:
    """What the commands do: by default they run on this machine, in `folder`, where PGDATA is, too."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.script: ExecHandler = self.spawn

    def __call__(self, request: ExecRequest) -> Spawn | Reply:
        return self.script(request)

    def spawn(self, request: ExecRequest) -> Spawn:
        """Run it."""
        env = {"PATH": "/usr/bin:/bin", "PGDATA": str(self.folder / "data" / "pgdata")}
        return Spawn(list(request.command), env, str(self.folder))


@pytest.fixture
def store() -> Store:
    store, scene = Store(), healthy()
    store.create(NAMESPACES, {"metadata": {"name": REF.namespace}})
    put(store, EDB_CLUSTERS, scene.cluster)
    for pod in scene.pods.values():
        put(store, PODS, pod)
    for claim in scene.claims.values():
        put(store, PVCS, claim)
    return store


@pytest.fixture
def containers(tmp_path: Path) -> Containers:
    return Containers(tmp_path)


@pytest.fixture
def server(store: Store, containers: Containers) -> Iterator[ApiServer]:
    with ApiServer(store, containers) as server:
        yield server


@pytest.fixture
def configuration(server: ApiServer) -> Any:
    """As `connect` makes it, but repeating without a pause."""
    configuration = client.Configuration(host=server.url)
    configuration.retries = kubeclient._RETRIES.new(backoff_factor=0)
    return configuration


@pytest.fixture
def api(configuration: Any) -> KubeApi:
    return KubeApi(configuration)


@pytest.fixture
def pods(configuration: Any) -> PodExec:
    return PodExec(configuration)
