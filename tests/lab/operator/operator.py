"""Stand-in for both operators: one thread that keeps every Cluster in the store as its manifest says."""

import threading
from dataclasses import dataclass

from tests.lab.apiserver import (
    PODS,
    PVCS,
    STORAGE_CLASSES,
    VOLUME_SNAPSHOT_CLASSES,
    VOLUME_SNAPSHOTS,
    ExecRequest,
    Reply,
    Spawn,
    StatusError,
)
from tests.lab.operator.adapter import Election, HookCommands
from tests.lab.operator.cluster import ClusterController
from tests.lab.operator.decorations import parse_hook
from tests.lab.operator.instance import Instance
from tests.lab.operator.manifests import snapshot_class, storage_class
from tests.lab.operator.names import DIALECTS, Manifest, all_clusters, dialect_of
from tests.lab.operator.runtime import Runtime
from tests.lab.operator.status import set_status

# Readiness lags and hooks end without an event in the store, and nobody announces that a PostgreSQL died.
RESYNC = 0.1  # seconds


@dataclass(frozen=True)
class _Care:
    controller: ClusterController
    election: Election


class Operator:
    """Acts on the store in a thread of its own from `start()` to `close()`; `failure` ended it early."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._store = runtime.store
        self._hooks = HookCommands(runtime)
        self._clusters: dict[str, _Care] = {}  # by UID: a restored Cluster is another one
        self._thread = threading.Thread(target=self._run, name="edb-operator", daemon=True)
        self.failure: Exception | None = None
        self._store.create(STORAGE_CLASSES, storage_class())
        self._store.create(VOLUME_SNAPSHOT_CLASSES, snapshot_class())
        clusters = (dialect.clusters for dialect in DIALECTS)
        self._changes = self._store.subscribe(*clusters, PODS, PVCS, VOLUME_SNAPSHOTS)

    def start(self) -> None:
        """Begin to act."""
        self._thread.start()

    def close(self) -> None:
        """End acting; hooks that hang are killed, PostgreSQL goes on until the workspace ends it."""
        self._runtime.closing.set()
        self._changes.close()
        self._thread.join()

    def instance(self, namespace: str, name: str) -> Instance:
        """One instance; StatusError (404) where there is none of that name."""
        for care in list(self._clusters.values()):
            if care.controller.namespace == namespace and name in care.controller.instances:
                return care.controller.instances[name]
        raise StatusError(404, "NotFound", f"no instance {namespace}/{name}")

    def switchover(self, namespace: str, cluster: str, target: str) -> None:
        """Ask for another primary; `status.currentPrimary` follows when it leads."""
        set_status(self._store, self.cluster(namespace, cluster), targetPrimary=target)

    def cluster(self, namespace: str, name: str) -> Manifest:
        """One Cluster, of whichever product; StatusError (404) where there is none of that name."""
        for manifest in all_clusters(self._store, namespace):
            if manifest["metadata"]["name"] == name:
                return manifest
        raise StatusError(404, "NotFound", f"no Cluster {namespace}/{name}")

    def exec(self, request: ExecRequest) -> Spawn | Reply:
        """Run a command in a container: hooks right here, everything else as a process of the machine."""
        pod = self._store.get(PODS, request.namespace, request.pod)
        if "postgres" not in {container["name"] for container in pod["spec"]["containers"]}:
            raise StatusError(500, "InternalError", f"container not found ({request.container!r})")
        call = parse_hook(request.command)
        if call and dialect_of(pod).has_adapter:
            return self._hooks.run(call, request.namespace, request.pod)
        return self.instance(request.namespace, request.pod).server.exec(request)

    def _run(self) -> None:
        try:
            while not self._runtime.closing.is_set():
                self._changes.next(RESYNC)
                while self._changes.next(0):
                    pass  # whatever happened, everything is looked at anew
                self._reconcile()
        except Exception as failure:  # noqa: BLE001 - whatever it is, the waiting test must see it
            self.failure = failure

    def _reconcile(self) -> None:
        self._hooks.release_due()
        clusters = {manifest["metadata"]["uid"]: manifest for manifest in all_clusters(self._store)}
        for uid in self._clusters.keys() - clusters.keys():
            self._clusters.pop(uid).controller.dispose()
        for uid, manifest in clusters.items():
            self._care_for(uid, manifest)
        self._runtime.storage.collect(self._living_volumes)

    def _care_for(self, uid: str, manifest: Manifest) -> None:
        try:
            if uid not in self._clusters:
                controller = ClusterController(self._runtime, manifest)
                self._clusters[uid] = _Care(controller, Election(self._runtime, controller))
            self._clusters[uid].controller.reconcile()
            self._clusters[uid].election.reconcile()
        except StatusError:
            pass  # somebody changed the world meanwhile; the event of that starts the next round

    def _living_volumes(self) -> set[str]:
        stored = [*self._store.list(PVCS), *self._store.list(VOLUME_SNAPSHOTS)]
        in_use = [
            uid
            for care in self._clusters.values()
            for instance in care.controller.instances.values()
            for uid in instance.claim_uids
        ]
        return {manifest["metadata"]["uid"] for manifest in stored} | set(in_use)
