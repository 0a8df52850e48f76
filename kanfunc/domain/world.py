"""One immutable reading of a cluster's world, made from Kubernetes manifests."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from kanfunc.domain.fencelist import FenceList
from kanfunc.domain.flavour import RECORD_ANNOTATION, Flavour
from kanfunc.domain.manifest import Manifest, mapping_in, text_in


@dataclass(frozen=True)
class ClusterRef:
    """Where a Cluster is, and of which operator."""

    namespace: str
    name: str
    flavour: Flavour

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True)
class Cluster:
    """The operator's Cluster, as far as we read it. `read_at` is the API server's clock (whole seconds)."""

    ref: ClusterRef
    uid: str
    resource_version: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    spec: Manifest
    current_primary: str
    target_primary: str
    read_at: datetime
    deleting: bool = False
    created: datetime | None = None
    owner: str = ""
    """What this Cluster belongs to, as KIND/NAME."""

    @classmethod
    def from_manifest(cls, manifest: Manifest, flavour: Flavour, read_at: datetime) -> Self:
        """Of the API server's JSON."""
        metadata, status = manifest["metadata"], manifest.get("status") or {}
        return cls(
            ref=ClusterRef(metadata["namespace"], metadata["name"], flavour),
            uid=metadata["uid"],
            resource_version=metadata.get("resourceVersion") or "",
            labels=metadata.get("labels") or {},
            annotations=metadata.get("annotations") or {},
            spec=manifest.get("spec") or {},
            current_primary=status.get("currentPrimary") or "",
            target_primary=status.get("targetPrimary") or "",
            read_at=read_at,
            deleting=bool(metadata.get("deletionTimestamp")),
            created=_instant(metadata.get("creationTimestamp")),
            owner=", ".join(f"{o['kind']}/{o['name']}" for o in metadata.get("ownerReferences") or ()),
        )

    @property
    def flavour(self) -> Flavour:
        """Whose Cluster it is."""
        return self.ref.flavour

    @property
    def fenced(self) -> FenceList:
        """Who is fenced; raises Refused where the annotation cannot be read."""
        return FenceList.parse(self.annotations.get(self.flavour.fenced_instances), f"Cluster {self.ref}")

    @property
    def record_text(self) -> str | None:
        """Our record as it stands on the Cluster, unparsed."""
        return self.annotations.get(RECORD_ANNOTATION)

    @property
    def hibernated(self) -> bool:
        """Whether its pods are gone because somebody wants it so."""
        return self.annotations.get(self.flavour.key("hibernation")) == "on"

    @property
    def settled_primary(self) -> str | None:
        """The primary's name, unless the cluster is switching over or failing over."""
        return self.current_primary if self.current_primary == self.target_primary else None


def _instant(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


@dataclass(frozen=True)
class Unreadable:
    """A Cluster of a shape that is not known, as it was met among others: to read it alone fails, too."""

    ref: ClusterRef
    why: str
    read_at: datetime


Listed = Cluster | Unreadable


@dataclass(frozen=True)
class Change:
    """A Cluster as it became; None: it is gone, or what changed was one of its pods or volumes."""

    ref: ClusterRef
    cluster: Listed | None = None


@dataclass(frozen=True)
class Volume:
    """A PersistentVolumeClaim of the cluster. `created` is the API server's clock."""

    name: str
    uid: str
    instance: str
    role: str
    labels: Mapping[str, str]
    created: datetime
    storage_class: str

    @classmethod
    def from_manifest(cls, manifest: Manifest, flavour: Flavour) -> Self:
        """Of the API server's JSON."""
        metadata = manifest["metadata"]
        labels = metadata.get("labels") or {}
        return cls(
            name=metadata["name"],
            uid=metadata["uid"],
            instance=labels.get(flavour.key("instanceName"), ""),
            role=labels.get(flavour.key("pvcRole"), ""),
            labels=labels,
            created=datetime.fromisoformat(metadata["creationTimestamp"]),
            storage_class=(manifest.get("spec") or {}).get("storageClassName") or "",
        )


@dataclass(frozen=True)
class Instance:
    """The pod of one PostgreSQL instance. `mounts` maps claim names to paths in the postgres container."""

    name: str
    uid: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    ready: bool
    mounts: Mapping[str, str]

    @classmethod
    def from_manifest(cls, manifest: Manifest) -> Self:
        """Of the API server's JSON."""
        metadata, status = manifest["metadata"], manifest.get("status") or {}
        conditions = {c["type"]: c["status"] for c in status.get("conditions") or ()}
        return cls(
            name=metadata["name"],
            uid=metadata["uid"],
            labels=metadata.get("labels") or {},
            annotations=metadata.get("annotations") or {},
            ready=conditions.get("Ready") == "True" and not metadata.get("deletionTimestamp"),
            mounts=_claim_mounts(manifest.get("spec") or {}),
        )


def _claim_mounts(spec: Manifest) -> Mapping[str, str]:
    claims = {
        volume["name"]: volume["persistentVolumeClaim"]["claimName"]
        for volume in spec.get("volumes") or ()
        if volume.get("persistentVolumeClaim")
    }
    return {
        claims[mount["name"]]: mount["mountPath"]
        for container in spec.get("containers") or ()
        if container["name"] == POSTGRES_CONTAINER
        for mount in container.get("volumeMounts") or ()
        if mount["name"] in claims
    }


POSTGRES_CONTAINER = "postgres"


@dataclass(frozen=True)
class RunningBackup:
    """An unfinished Backup of the operator; `instance` is empty until it has chosen one."""

    name: str
    cluster: str
    instance: str

    @staticmethod
    def owner(manifest: Manifest) -> str:
        """The Cluster that a Backup says to be of; "" where that is no name: then it is of none."""
        return text_in(mapping_in(mapping_in(manifest, "spec"), "cluster"), "name")

    @classmethod
    def from_manifest(cls, manifest: Manifest) -> Self | None:
        """Of the API server's JSON; None when it has ended."""
        status = manifest.get("status") or {}
        if status.get("phase") in {"completed", "failed"}:
            return None
        return cls(
            name=manifest["metadata"]["name"],
            cluster=cls.owner(manifest),
            instance=(status.get("instanceID") or {}).get("podName") or "",
        )


@dataclass(frozen=True)
class World:
    """All that decisions about one cluster look at, read once. Immutable."""

    cluster: Cluster
    instances: tuple[Instance, ...]
    volumes: tuple[Volume, ...]
    backups: tuple["RunningBackup", ...]
    """The operator's own Backups that have not ended."""

    def instance(self, name: str) -> Instance | None:
        """The pod of that name."""
        return next((pod for pod in self.instances if pod.name == name), None)

    @property
    def primary(self) -> Instance | None:
        """The pod of the settled primary."""
        return self.instance(self.cluster.settled_primary or "")

    def volumes_of(self, instance: Instance) -> tuple[Volume, ...]:
        """The claims that this pod mounts."""
        return tuple(volume for volume in self.volumes if volume.name in instance.mounts)
