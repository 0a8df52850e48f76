"""What we read and write on the API server: Clusters and what belongs to them."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from kubernetes import client

from kanfunc.domain.candidacy import LabelChanges
from kanfunc.domain.errors import KanfuncError, NotFound
from kanfunc.domain.flavour import Flavour
from kanfunc.domain.manifest import Manifest, is_at_work
from kanfunc.domain.record import Changes
from kanfunc.domain.snapshots import VolumeSnapshot
from kanfunc.domain.world import (
    POSTGRES_CONTAINER,
    Cluster,
    ClusterRef,
    Instance,
    Listed,
    RunningBackup,
    Volume,
    World,
)
from kanfunc.gateways.kubeclient import follow, items, items_if_known, listed, read, translated
from kanfunc.gateways.manifests import cluster_of, readable
from kanfunc.gateways.plain import CORE, STORAGE, AnyObjects

_PODS, _CLAIMS = "pods", "persistentvolumeclaims"
_SNAPSHOTS = ("snapshot.storage.k8s.io", "v1")


# the client would send a list as a merge patch, which would drop the tests
_JSON_PATCH = "application/json-patch+json"
_EVENT_SECONDS = 5
"""An Event is news: nothing waits long for it."""


def guarded_patch(
    field: str, uid: str, seen: Mapping[str, str], changes: Mapping[str, str | None]
) -> list[dict[str, Any]]:
    """One JSON patch of the annotations or labels; its first tests fail when what was seen has changed."""
    patch: list[dict[str, Any]] = [
        {"op": "test", "path": "/metadata/uid", "value": uid},
        {"op": "test", "path": f"/metadata/{field}", "value": dict(seen)},
    ]
    for key, value in changes.items():
        path = f"/metadata/{field}/" + key.replace("~", "~0").replace("/", "~1")
        if value is not None:
            patch.append({"op": "add", "path": path, "value": value})
        elif key in seen:
            patch.append({"op": "remove", "path": path})
    return patch


def cluster_patch(cluster: Cluster, changes: Changes, *, exact: bool) -> list[dict[str, Any]]:
    """The patch of `annotate`. Equal annotations may have been others in between: exact notices that, too."""
    patch = guarded_patch("annotations", cluster.uid, cluster.annotations, changes)
    version = {"op": "test", "path": "/metadata/resourceVersion", "value": cluster.resource_version}
    return [version, *patch] if exact else patch


class KubeApi:
    """ClusterApi over the official client."""

    def __init__(self, configuration: client.Configuration) -> None:
        self._objects = AnyObjects(configuration)
        self._list = self._objects.list_namespaced_custom_object

    def clusters(self, namespace: str, flavour: Flavour) -> tuple[Listed, ...]:
        """See ClusterApi."""
        with translated(f"list Clusters of namespace {namespace}"):
            body, date = read(self._list, *_clusters(namespace, flavour))
            found = [cluster_of(item, flavour, date) for item in listed(body)]
        return tuple(sorted(found, key=lambda cluster: cluster.ref.name))

    def cluster(self, ref: ClusterRef) -> Cluster:
        """See ClusterApi."""
        with translated(f"read Cluster {ref}"):
            body, date = read(
                self._objects.get_namespaced_custom_object, *_clusters(ref.namespace, ref.flavour), ref.name
            )
        with readable(f"Cluster {ref}"):
            return Cluster.from_manifest(body, ref.flavour, date)

    def world(self, ref: ClusterRef, cluster: Cluster | None = None) -> World:
        """See ClusterApi."""
        return World(
            cluster=cluster or self.cluster(ref),
            instances=self.instances(ref),
            volumes=self.volumes(ref),
            backups=self.running_backups(ref),
        )

    def instances(self, ref: ClusterRef) -> tuple[Instance, ...]:
        """See ClusterApi."""
        with translated(f"read pods of Cluster {ref}"):
            pods = items(self._list, *CORE, ref.namespace, _PODS, label_selector=_members(ref))
        with readable(f"a pod of Cluster {ref}"):
            return tuple(Instance.from_manifest(pod) for pod in pods if _is_instance(pod, ref.flavour))

    def volumes(self, ref: ClusterRef) -> tuple[Volume, ...]:
        """See ClusterApi."""
        with translated(f"read volumes of Cluster {ref}"):
            claims = items(self._list, *CORE, ref.namespace, _CLAIMS, label_selector=_members(ref))
        with readable(f"a volume of Cluster {ref}"):
            return tuple(Volume.from_manifest(claim, ref.flavour) for claim in claims)

    def running_backups(self, ref: ClusterRef) -> tuple[RunningBackup, ...]:
        """See ClusterApi."""
        flavour = ref.flavour
        items = self._custom_items(flavour.group, flavour.version, ref.namespace, flavour.backups)
        own = [item for item in items if RunningBackup.owner(item) == ref.name]
        with readable(f"a Backup of Cluster {ref}"):
            backups = [RunningBackup.from_manifest(item) for item in own]
        return tuple(backup for backup in backups if backup)

    def annotate(self, cluster: Cluster, changes: Changes, *, exact: bool = False) -> Cluster:
        """See ClusterApi."""
        with translated(f"annotate Cluster {cluster.ref}"):
            body, date = read(
                self._objects.patch_namespaced_custom_object,
                *_clusters(cluster.ref.namespace, cluster.flavour),
                cluster.ref.name,
                cluster_patch(cluster, changes, exact=exact),
                _content_type=_JSON_PATCH,
            )
        with readable(f"Cluster {cluster.ref}"):
            return Cluster.from_manifest(body, cluster.flavour, date)

    def label(self, ref: ClusterRef, target: Instance | Volume, changes: LabelChanges) -> None:
        """See ClusterApi."""
        with translated(f"label {target.name} of Cluster {ref}"):
            read(
                self._objects.patch_namespaced_custom_object,
                *CORE,
                ref.namespace,
                _PODS if isinstance(target, Instance) else _CLAIMS,
                target.name,
                guarded_patch("labels", target.uid, target.labels, changes),
                _content_type=_JSON_PATCH,
            )

    def watch_cluster(self, ref: ClusterRef, seconds: float) -> Iterator[Cluster]:
        """See ClusterApi."""
        arguments = _clusters(ref.namespace, ref.flavour)
        for manifests, date in follow(self._list, arguments, seconds, ref.name):
            if ref.name not in manifests:
                raise NotFound(f"Cluster {ref} is gone", remedy="correct --cluster, or exclude it")
            with readable(f"Cluster {ref}"):
                cluster = Cluster.from_manifest(manifests[ref.name], ref.flavour, date)
            yield cluster

    def watch_instance(self, ref: ClusterRef, name: str, seconds: float) -> Iterator[Instance | None]:
        """See ClusterApi."""
        for manifests, _ in follow(self._list, (*CORE, ref.namespace, _PODS), seconds, name):
            with readable(f"pod {ref.namespace}/{name}"):
                pod = Instance.from_manifest(manifests[name]) if name in manifests else None
            yield pod

    def watch_snapshots(self, namespace: str, seconds: float) -> Iterator[tuple[VolumeSnapshot, ...]]:
        """See ClusterApi."""
        arguments = (*_SNAPSHOTS, namespace, "volumesnapshots")
        for manifests, _ in follow(self._list, arguments, seconds):
            with readable(f"a VolumeSnapshot of namespace {namespace}"):
                found = tuple(VolumeSnapshot.from_manifest(manifest) for manifest in manifests.values())
            yield found

    def snapshots(self, namespace: str) -> tuple[VolumeSnapshot, ...]:
        """See ClusterApi."""
        items = self._custom_items(*_SNAPSHOTS, namespace, "volumesnapshots")
        with readable(f"a VolumeSnapshot of namespace {namespace}"):
            return tuple(VolumeSnapshot.from_manifest(item) for item in items)

    def without_snapshot_class(self, volumes: Sequence[Volume]) -> tuple[str, ...]:
        """See ClusterApi."""
        with translated("read StorageClasses and VolumeSnapshotClasses"):
            listed = self._objects.list_cluster_custom_object
            storage = items(listed, *STORAGE, "storageclasses")
            classes = items_if_known(listed, *_SNAPSHOTS, "volumesnapshotclasses")
            drivers = {item["driver"] for item in classes}
            snapshottable = {item["metadata"]["name"] for item in storage if item["provisioner"] in drivers}
        return tuple(volume.name for volume in volumes if volume.storage_class not in snapshottable)

    def other_pods(self, ref: ClusterRef) -> tuple[str, ...]:
        """See ClusterApi."""
        selector = f"!{ref.flavour.key('cluster')},app.kubernetes.io/name!=edb-kasten"
        with translated(f"list pods of namespace {ref.namespace}"):
            pods = items(self._list, *CORE, ref.namespace, _PODS, label_selector=selector)
        return tuple(sorted(pod["metadata"]["name"] for pod in pods if is_at_work(pod)))

    def announce(self, cluster: Cluster, reason: str, message: str, *, warning: bool = False) -> None:
        """See ClusterApi."""
        now = datetime.now(UTC)  # noqa: TID251 - an Event tells when its reporter saw it
        event: Any = {
            "metadata": {"generateName": f"{cluster.ref.name}-", "namespace": cluster.ref.namespace},
            "involvedObject": {
                "apiVersion": f"{cluster.flavour.group}/{cluster.flavour.version}",
                "kind": "Cluster",
                "name": cluster.ref.name,
                "namespace": cluster.ref.namespace,
                "uid": cluster.uid,
            },
            "type": "Warning" if warning else "Normal",
            "reason": reason,
            "message": message[:1000],
            "source": {"component": "kanfunc"},
            "firstTimestamp": now.isoformat(),
            "lastTimestamp": now.isoformat(),
            "count": 1,
        }
        try:
            self._objects.create_namespaced_custom_object(
                *CORE, cluster.ref.namespace, "events", event, _request_timeout=_EVENT_SECONDS
            )
        except KanfuncError:  # a signal
            raise
        except Exception:  # noqa: BLE001 - it is news, whatever the client says
            return

    def _custom_items(self, group: str, version: str, namespace: str, plural: str) -> Sequence[Manifest]:
        with translated(f"list {plural} of namespace {namespace}"):
            return items_if_known(self._list, group, version, namespace, plural)


def _clusters(namespace: str, flavour: Flavour) -> tuple[str, str, str, str]:
    """How the client's methods for custom objects name a namespace's Clusters."""
    return flavour.group, flavour.version, namespace, flavour.plural


def _members(ref: ClusterRef) -> str:
    """The selector of what belongs to a cluster."""
    return f"{ref.flavour.key('cluster')}={ref.name}"


def _is_instance(pod: Manifest, flavour: Flavour) -> bool:
    """Jobs that initialise or clone an instance carry the cluster's label, too."""
    metadata = pod["metadata"]
    return metadata["labels"].get(flavour.key("instanceName")) == metadata["name"] and any(
        container["name"] == POSTGRES_CONTAINER for container in pod["spec"]["containers"]
    )
