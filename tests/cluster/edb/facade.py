"""Stand-in for EDB's operator: serves its Clusters by keeping a CloudNativePG Cluster under each.

EDB's Cluster owns the one beneath, which gets its spec and gives its status; pods and claims carry EDB's
labels and annotations beside CloudNativePG's; fence lists follow each other; the adapter `kasten` elects,
decorates and offers hook commands, with the decisions of the lab's stand-in. Not imitated: EDB's own Backups,
Poolers and ScheduledBackups, hibernation, further annotations, changes of the spec after creation, webhooks,
and the program that the hooks name (`/controller/manager` there, `edb-hook` here).
"""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from urllib3.exceptions import HTTPError

from tests.cluster.node.client import apply, kubectl
from tests.cluster.objects import RealObjects
from tests.lab.apiserver import CNPG_CLUSTERS, EDB_CLUSTERS, PODS, PVCS, Resource, StatusError
from tests.lab.operator.decisions import annotations, candidates, elect, labels
from tests.lab.operator.decorations import Addon, addon_of
from tests.lab.operator.manifests import owner_reference
from tests.lab.operator.names import CNPG, EDB, Manifest

HOOK: Final = "edb-hook"
FOLLOW_SECONDS = 60.0
RETRY_SECONDS = 1.0
RESYNC_SECONDS = 5.0
"""That a replica streams is announced by nobody."""
FOLLOWED = (EDB_CLUSTERS, CNPG_CLUSTERS, PODS, PVCS)


class Facade:
    """Level-triggered: after any change everything is looked at anew."""

    def __init__(self, objects: RealObjects) -> None:
        self._objects = objects
        self._changed = threading.Event()
        self._closing = threading.Event()
        self._fences: dict[str, str | None] = {}
        """The fence list that both Clusters had last, by UID of the one beneath."""
        self.failure: Exception | None = None

    @contextmanager
    def acting(self) -> Iterator["Facade"]:
        """Act until the end of the block, which raises what ended it early."""
        for resource in FOLLOWED:
            threading.Thread(target=self._follow, args=(resource,), daemon=True).start()
        thread = threading.Thread(target=self._run, name="edb-facade")
        thread.start()
        try:
            yield self
        finally:
            self._closing.set()
            self._changed.set()
            thread.join()
        if self.failure:
            raise self.failure

    def _follow(self, resource: Resource) -> None:
        """Until the facade closes; a watch that was cut, as by a server that stops, is opened again."""
        while not self._closing.is_set():
            try:
                for _ in self._objects.watch(resource, None, FOLLOW_SECONDS):
                    self._changed.set()
            except (StatusError, OSError, HTTPError):
                self._closing.wait(RETRY_SECONDS)

    def _run(self) -> None:
        try:
            while not self._closing.is_set():
                self._changed.wait(RESYNC_SECONDS)
                self._changed.clear()
                for cluster in self._objects.list(EDB_CLUSTERS):
                    self._care_for(cluster)
        except Exception as failure:  # noqa: BLE001 - whatever it is, the waiting test must see it
            self.failure = failure

    def _care_for(self, cluster: Manifest) -> None:
        try:
            if not cluster["metadata"].get("deletionTimestamp"):
                self._reconcile(cluster)
        except StatusError:
            pass  # the world changed meanwhile; the event of that starts the next round

    def _reconcile(self, cluster: Manifest) -> None:
        namespace, name = cluster["metadata"]["namespace"], cluster["metadata"]["name"]
        try:
            beneath = self._objects.get(CNPG_CLUSTERS, namespace, name)
        except StatusError:
            beneath = self._objects.create(CNPG_CLUSTERS, _beneath(cluster))
            _grant(cluster)
        self._sync_fences(cluster, beneath)
        self._report(cluster, beneath)
        members = {kind: self._members(kind, namespace, name) for kind in (PODS, PVCS)}
        addon = addon_of(cluster, HOOK)
        elected = self._elect(cluster, beneath, members[PODS]) if addon else None
        for resource, found in members.items():
            for member in found:
                self._decorate(resource, member, addon, elected)

    def _members(self, resource: Resource, namespace: str, name: str) -> list[Manifest]:
        return self._objects.list(resource, namespace, labels=f"{CNPG.cluster}={name}")

    def _sync_fences(self, cluster: Manifest, beneath: Manifest) -> None:
        """Whichever list has changed since they were equal is the newer one; a user's wins."""
        uid, above = beneath["metadata"]["uid"], annotations(cluster).get(EDB.fenced_instances)
        below = annotations(beneath).get(CNPG.fenced_instances)
        if above != below:
            if above == self._fences.get(uid, object()):
                self._annotate(EDB_CLUSTERS, cluster, {EDB.fenced_instances: below})
                above = below
            else:
                self._annotate(CNPG_CLUSTERS, beneath, {CNPG.fenced_instances: above})
        self._fences[uid] = above

    def _report(self, cluster: Manifest, beneath: Manifest) -> None:
        known, status = cluster.get("status") or {}, beneath.get("status") or {}
        if known != status:
            change = {"status": dict.fromkeys(known) | status}
            metadata = cluster["metadata"]
            self._objects.patch(
                EDB_CLUSTERS, metadata["namespace"], metadata["name"], change, subresource="status"
            )

    def _elect(self, cluster: Manifest, beneath: Manifest, pods: list[Manifest]) -> str | None:
        primary = (beneath.get("status") or {}).get("currentPrimary") or ""
        instances = [pod["metadata"]["name"] for pod in pods if _is_instance(pod)]
        current = annotations(cluster).get(EDB.backup_instance)
        eligible = candidates(cluster, primary, instances)
        if primary not in instances or current in eligible:
            return current
        received = self._received(cluster, primary)
        elected = elect(None, [each for each in eligible if each in received or each == primary], received)
        if elected != current:
            self._annotate(EDB_CLUSTERS, cluster, {EDB.backup_instance: elected})
        return elected

    @staticmethod
    def _received(cluster: Manifest, primary: str) -> Mapping[str, int]:
        """Bytes of WAL that each streaming replica has flushed; none while the primary cannot be asked."""
        query = (
            "SELECT application_name, flush_lsn - '0/0' FROM pg_stat_replication WHERE state = 'streaming'"
        )
        where = ["--namespace", cluster["metadata"]["namespace"], "--container", "postgres", primary]
        lines = kubectl("exec", *where, "--", "psql", "-XAtqc", query, check=False).split()
        return {name: int(position) for name, _, position in (line.partition("|") for line in lines)}

    def _decorate(
        self, resource: Resource, member: Manifest, addon: Addon | None, elected: str | None
    ) -> None:
        wanted = {kind: _in_dialect(member["metadata"].get(kind) or {}) for kind in ("labels", "annotations")}
        decorated: Manifest = {"kind": member["kind"], "metadata": member["metadata"] | wanted}
        if addon:
            addon.decorate(decorated, elected)
        change = {
            kind: _difference(member["metadata"].get(kind) or {}, decorated["metadata"][kind])
            for kind in wanted
        }
        if any(change.values()):
            metadata = member["metadata"]
            self._objects.patch(resource, metadata["namespace"], metadata["name"], {"metadata": change})

    def _annotate(self, resource: Resource, manifest: Manifest, change: Mapping[str, str | None]) -> None:
        metadata = manifest["metadata"]
        body = {"metadata": {"resourceVersion": metadata["resourceVersion"], "annotations": change}}
        written = self._objects.patch(resource, metadata["namespace"], metadata["name"], body)
        manifest["metadata"] = written["metadata"]


def _beneath(cluster: Manifest) -> Manifest:
    metadata = cluster["metadata"]
    fences = annotations(cluster).get(EDB.fenced_instances)
    return {
        "apiVersion": CNPG_CLUSTERS.api_version,
        "kind": CNPG_CLUSTERS.kind,
        "metadata": {
            "name": metadata["name"],
            "namespace": metadata["namespace"],
            "annotations": {CNPG.fenced_instances: fences} if fences else {},
            "ownerReferences": [owner_reference(cluster)],
        },
        "spec": cluster["spec"],
    }


def _is_instance(pod: Manifest) -> bool:
    return labels(pod).get(CNPG.pod_role) == "instance" and not pod["metadata"].get("deletionTimestamp")


def _in_dialect(values: Mapping[str, str]) -> dict[str, str]:
    """The same, with each of CloudNativePG's keys in EDB's spelling beside it."""
    spelled = {
        EDB.prefix + key.removeprefix(CNPG.prefix): value
        for key, value in values.items()
        if key.startswith(CNPG.prefix)
    }
    return {**values, **spelled}


def _difference(known: Mapping[str, str], wanted: Mapping[str, str]) -> dict[str, Any]:
    """The merge patch from one to the other."""
    gone = dict.fromkeys(known.keys() - wanted.keys())
    return gone | {key: value for key, value in wanted.items() if known.get(key) != value}


def _grant(cluster: Manifest) -> None:
    """What the hook command needs, to the account of the instances."""
    metadata = cluster["metadata"]
    named = {
        "name": f"{metadata['name']}-edb",
        "namespace": metadata["namespace"],
        "ownerReferences": [owner_reference(cluster)],
    }
    group = "rbac.authorization.k8s.io"
    rule = {
        "apiGroups": [EDB_CLUSTERS.group],
        "resources": [EDB_CLUSTERS.plural],
        "resourceNames": [metadata["name"]],
        "verbs": ["get", "patch"],
    }
    role = {"apiVersion": f"{group}/v1", "kind": "Role", "metadata": named, "rules": [rule]}
    binding = {
        "apiVersion": f"{group}/v1",
        "kind": "RoleBinding",
        "metadata": named,
        "roleRef": {"apiGroup": group, "kind": "Role", "name": named["name"]},
        "subjects": [
            {"kind": "ServiceAccount", "name": metadata["name"], "namespace": metadata["namespace"]}
        ],
    }
    apply(role, binding)
