"""Stand-in for EDB's backup adapter `kasten`: election, decoration and the hook commands in the pod."""

import math
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from tests.lab.apiserver import PODS, PVCS, Reply, StatusError
from tests.lab.operator.cluster import ClusterController
from tests.lab.operator.decisions import (
    annotations,
    candidates,
    elect,
    is_hibernated,
    labels,
    lift_fence,
    place_fence,
)
from tests.lab.operator.decorations import Hook, HookCall, addon_of
from tests.lab.operator.names import Manifest, dialect_of
from tests.lab.operator.runtime import Runtime

# The real one lifts a fence a moment after its command has returned: whoever reads at once still sees it.
RELEASE_DELAY = 0.2  # seconds
TIMED_OUT = 124  # exit code of coreutils' timeout
KILLED = 137


class Election:
    """Keeps one instance of a cluster elected, and all its pods and claims decorated accordingly."""

    def __init__(self, runtime: Runtime, controller: ClusterController) -> None:
        self._runtime = runtime
        self._controller = controller
        self._flushed = 0

    def reconcile(self) -> None:
        """Elect and decorate; StatusError when the world changed meanwhile."""
        with self._runtime.faults.electing:
            if not self._runtime.faults.election_paused:
                self._reconcile()

    def _reconcile(self) -> None:
        namespace, name = self._controller.namespace, self._controller.name
        store, dialect = self._runtime.store, self._controller.dialect
        cluster = store.get(dialect.clusters, namespace, name)
        addon = addon_of(cluster)
        if addon is None or is_hibernated(cluster):
            return
        elected = self._elect(cluster)
        store.update(dialect.clusters, namespace, name, lambda manifest: _announce(manifest, elected))
        for resource in (PODS, PVCS):
            for manifest in store.list(resource, namespace, labels=f"{dialect.cluster}={name}"):
                target = manifest["metadata"]["name"]
                store.update(resource, namespace, target, lambda each: addon.decorate(each, elected))

    def _elect(self, cluster: Manifest) -> str | None:
        current = annotations(cluster).get(self._controller.dialect.backup_instance)
        primary = cluster["status"]["currentPrimary"]
        eligible = candidates(cluster, primary, list(self._controller.instances))
        if current in eligible or len(eligible) < 2:
            return elect(current, eligible, {})
        return self._elect_furthest(primary, eligible)

    def _elect_furthest(self, primary: str, eligible: list[str]) -> str | None:
        """Elect by received WAL. Replicas that have all that the primary had one round ago count as equal."""
        leader = self._controller.instances.get(primary)
        if leader is None or not leader.server.running:
            return None
        flushed, self._flushed = self._flushed, leader.position()
        received = leader.received_by_standbys()
        running = {each.name for each in self._controller.instances.values() if each.server.running}
        if not flushed or not received.keys() >= running & set(eligible):
            return None  # too early to tell
        return elect(None, eligible, {name: min(end, flushed) for name, end in received.items()})


def _announce(cluster: Manifest, elected: str | None) -> None:
    metadata, announced = cluster["metadata"], dialect_of(cluster).backup_instance
    metadata["annotations"] = {key: value for key, value in annotations(cluster).items() if key != announced}
    if elected:
        metadata["annotations"][announced] = elected


@dataclass(frozen=True)
class _Release:
    due: float  # monotonic seconds
    namespace: str
    pod: str


class HookCommands:
    """The hook commands in a pod: they only write the fence list, on which the operator acts later."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._guard = threading.Lock()
        self._releases: list[_Release] = []

    def run(self, call: HookCall, namespace: str, pod: str) -> Reply:
        """Run a hook in the calling thread, which may take as long as its time limit."""
        if call.hook is Hook.PRE_BACKUP:
            return self._pre_backup(call, namespace, pod)
        with self._guard:
            self._releases.append(_Release(time.monotonic() + RELEASE_DELAY, namespace, pod))
        return Reply(0)

    def release_due(self) -> None:
        """Lift the fences whose commands returned a moment ago."""
        with self._guard:
            due = [release for release in self._releases if release.due <= time.monotonic()]
            self._releases = [release for release in self._releases if release not in due]
        for release in due:
            with suppress(StatusError):  # the cluster is gone
                self._edit_cluster(release.namespace, release.pod, lift_fence)

    def _pre_backup(self, call: HookCall, namespace: str, pod: str) -> Reply:
        faults = self._runtime.faults
        limit = math.inf if call.limit is None else call.limit
        delay = math.inf if faults.hook_hangs else faults.hook_delay
        if self._closed_within(min(delay, limit)):
            return Reply(KILLED)
        if delay > limit:
            return Reply(TIMED_OUT)
        if faults.hook_exit:
            return Reply(faults.hook_exit, stderr="the hook was made to fail\n")
        self._edit_cluster(namespace, pod, place_fence)
        return Reply(0)

    def _closed_within(self, seconds: float) -> bool:
        return self._runtime.closing.wait(None if math.isinf(seconds) else seconds)

    def _edit_cluster(self, namespace: str, pod: str, edit: Callable[[Manifest, str], None]) -> None:
        store = self._runtime.store
        manifest = store.get(PODS, namespace, pod)
        dialect = dialect_of(manifest)
        cluster = labels(manifest)[dialect.cluster]
        store.update(dialect.clusters, namespace, cluster, lambda manifest: edit(manifest, pod))
