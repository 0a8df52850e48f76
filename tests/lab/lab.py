"""The lab: a simulated cluster with real PostgreSQL in it, and the product as processes beside it."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import MappingProxyType
from typing import Self, TypeVar

from tests.lab.apiserver import NAMESPACES, ApiServer, StatusError, Store
from tests.lab.binaries import Binaries
from tests.lab.certificates import APPLICATION_ROLE
from tests.lab.client import client_dsn
from tests.lab.kasten import Hook, HookResult, Kasten
from tests.lab.operator import manifests
from tests.lab.operator.credentials import ensure_authority
from tests.lab.operator.decisions import annotations
from tests.lab.operator.decorations import addon_of
from tests.lab.operator.instance import Instance
from tests.lab.operator.names import EDB, HEALTHY, Dialect, Manifest
from tests.lab.operator.operator import Operator
from tests.lab.operator.runtime import Faults, Runtime
from tests.lab.postgres import Server
from tests.lab.storage import Storage
from tests.lab.workspace import Identity, LabError, Workspace

REPOSITORY = Path(__file__).parents[2]
# What PostgreSQL does is no event in the store: so a wait looks again after this time.
LOOK_AGAIN = 0.05  # seconds

T = TypeVar("T")
Process = subprocess.Popen[str]
Completed = subprocess.CompletedProcess[str]


class Lab:
    """Everything that runs: `store` is what `api` serves, `faults` make EDB's stand-in fail."""

    def __init__(self, workspace: Workspace, major: int | None = None) -> None:
        self.workspace = workspace
        self.binaries = Binaries.of(workspace, major) if major else Binaries.find(workspace)
        self.store = Store()
        self.faults = Faults()
        storage = Storage(workspace)
        self.operator = Operator(Runtime(self.store, storage, workspace, self.binaries, self.faults))
        self.kasten = Kasten(self.store, storage, workspace)
        self.api = ApiServer(self.store, self.operator.exec)
        self._kubeconfig = workspace.path / "kubeconfig"

    @classmethod
    @contextmanager
    def open(cls, major: int | None = None) -> Iterator[Self]:
        """Start a lab, of which nothing is left in the end. LabError: it cannot run, or EDB's part failed.

        major: version of PostgreSQL, where another than the machine's own is wanted.
        """
        with ExitStack() as stack:
            lab = cls(stack.enter_context(Workspace.open()), major)
            stack.enter_context(lab.api)
            stack.callback(lab.kasten.close)
            lab.operator.start()
            stack.callback(lab.operator.close)
            lab.api.write_kubeconfig(lab._kubeconfig)
            yield lab
            lab._check_operator()

    def create_namespace(self, name: str) -> None:
        """Create a namespace unless it is there."""
        with suppress(StatusError):
            self.store.create(
                NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
            )

    def create_cluster(
        self,
        namespace: str = "edb",
        name: str = "cluster-example",
        *,
        dialect: Dialect = EDB,
        instances: int = 3,
        addons: str | None = '["kasten"]',
        wal_volume: bool = False,
        tablespaces: Sequence[str] = (),
        synchronous: int = 0,
        annotations: Mapping[str, str] | None = None,
        archive: str | None = None,
        further: Mapping[str, object] = MappingProxyType({}),
    ) -> Manifest:
        """Apply a Cluster and wait until it is healthy.

        `archive` names what stands for an object store; commits wait for any `synchronous` standbys.
        `further` are fields of its spec that go before all of these.
        """
        self.create_namespace(namespace)
        spec: Manifest = {"instances": instances, "storage": {"size": "1Gi"}}
        spec |= {"walStorage": {"size": "1Gi"}} if wal_volume else {}
        replication = {"synchronous": {"method": "any", "number": synchronous}}
        spec |= {"postgresql": replication} if synchronous else {}
        spec["tablespaces"] = [{"name": name, "storage": {"size": "1Gi"}} for name in tablespaces]
        spec |= {"backup": {"archive": archive}} if archive else {}
        spec |= further
        marks = dict(annotations or {}) | ({dialect.addons: addons} if addons else {})
        self.store.create(dialect.clusters, manifests.cluster(dialect, name, namespace, spec, marks))
        return self.wait_until_healthy(namespace, name)

    def wait_until_healthy(self, namespace: str, name: str, timeout: float = 60.0) -> Manifest:
        """Wait until all instances are ready, the replicas stream and, with the adapter, one is elected."""

        def healthy() -> Manifest | None:
            cluster = self.cluster(namespace, name)
            status = cluster.get("status", {})
            if status.get("phase") != HEALTHY or status["readyInstances"] != status["instances"]:
                return None
            elected = EDB.backup_instance in annotations(cluster)
            if addon_of(cluster) and status["instances"] > 1 and not elected:
                return None
            streaming = self._leader(cluster).received_by_standbys()
            return cluster if len(streaming) == status["instances"] - 1 else None

        return self.wait_for(f"cluster {namespace}/{name} to be healthy", healthy, timeout)

    def wait_for(self, description: str, predicate: Callable[[], T | None], timeout: float = 30.0) -> T:
        """Wait until `predicate` returns something true, and return that; looks at every event in the store.

        Raises LabError after `timeout` seconds, and as soon as the operator has failed.
        """
        deadline = time.monotonic() + timeout
        with self.store.subscribe() as events:
            while not (result := predicate()):
                self._check_operator()
                if time.monotonic() > deadline:
                    raise LabError(f"waited {timeout} s for {description}; last seen: {result!r}")
                events.next(LOOK_AGAIN)
            return result

    def cluster(self, namespace: str, name: str) -> Manifest:
        """The Cluster as it stands."""
        return self.operator.cluster(namespace, name)

    def server(self, namespace: str, pod: str) -> Server:
        """PostgreSQL of an instance."""
        return self.operator.instance(namespace, pod).server

    def primary(self, namespace: str, cluster: str) -> Server:
        """PostgreSQL of the current primary."""
        return self._leader(self.cluster(namespace, cluster)).server

    def switchover(self, namespace: str, cluster: str, target: str) -> None:
        """Make another instance the primary and wait until it leads."""
        self.operator.switchover(namespace, cluster, target)
        self.wait_for(
            f"{target} to lead",
            lambda: self.cluster(namespace, cluster)["status"]["currentPrimary"] == target,
        )

    def client_dsn(self, namespace: str, cluster: str) -> str:
        """Connection string of the application: verify-full, with a certificate from the cluster's CA."""
        authority = ensure_authority(self.store, self.cluster(namespace, cluster))
        directory = self.workspace.directory("clients", f"{namespace}-{cluster}")
        root = directory / "ca.crt"
        root.write_bytes(authority.certificate)
        owner = Identity.current()
        return client_dsn(
            host=f"{cluster}-rw",
            port=self.primary(namespace, cluster).port,
            certificate=authority.client(APPLICATION_ROLE).write(directory, APPLICATION_ROLE, owner),
            authority=root,
        )

    def environment(self, port: int | None = None) -> dict[str, str]:
        """Environment of the product's processes, and of every other client of this API server.

        PGHOSTADDR stands for the cluster's name service: libpq verifies the name and goes to this machine.

        port: of what stands before the API server.
        """
        if port is None:
            return self.workspace.environment(KUBECONFIG=str(self._kubeconfig), PGHOSTADDR="127.0.0.1")
        other = self._kubeconfig.with_name(f"kubeconfig-{port}")
        other.write_text(self._kubeconfig.read_text().replace(self.api.url, f"http://127.0.0.1:{port}"))
        return self.workspace.environment(KUBECONFIG=str(other), PGHOSTADDR="127.0.0.1")

    def start_kanfunc(self, *args: str, port: int | None = None) -> Process:
        """Start the product; the caller waits for it. Its output is text in two pipes."""
        return subprocess.Popen(
            [sys.executable, "-m", "kanfunc", *args],
            cwd=REPOSITORY,
            env=self.environment(port),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def kanfunc(self, *args: str, timeout: float = 60.0, port: int | None = None) -> Completed:
        """Run the product to its end; it is killed after `timeout` seconds, which raises TimeoutExpired."""
        with self.start_kanfunc(*args, port=port) as process:
            try:
                stdout, stderr = process.communicate(timeout=timeout)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
        return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)

    def hook(self, *args: str) -> Hook:
        """A policy's hook that runs the product with `-n NAMESPACE`, as Kasten's action hook does."""

        def run(namespace: str) -> HookResult:
            done = self.kanfunc(*args, "-n", namespace)
            return HookResult(done.returncode, done.stdout + done.stderr)

        return run

    def _leader(self, cluster: Manifest) -> Instance:
        return self.operator.instance(cluster["metadata"]["namespace"], cluster["status"]["currentPrimary"])

    def _check_operator(self) -> None:
        if self.operator.failure:
            raise LabError("the operator's stand-in failed") from self.operator.failure
