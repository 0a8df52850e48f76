"""Manifests of the objects that an operator creates."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tests.lab.operator.names import (
    CSI_DRIVER,
    PG_DATA,
    PG_TABLESPACE,
    PG_WAL,
    STORAGE_CLASS,
    Dialect,
    Manifest,
    dialect_of,
    instance_name,
)


@dataclass(frozen=True)
class Volume:
    """One of the volumes that each instance of a Cluster has; `name` is that of a tablespace."""

    role: str
    size: str
    name: str = ""

    @property
    def in_pod(self) -> str:
        """Name of the volume in the pod."""
        return {PG_DATA: "pgdata", PG_WAL: "pg-wal"}.get(self.role, f"tbs-{self.name}")

    def claim(self, instance: str) -> str:
        """Name of an instance's claim.

        >>> Volume("PG_WAL", "1Gi").claim("pg-2"), Volume("PG_TABLESPACE", "1Gi", "hot").claim("pg-2")
        ('pg-2-wal', 'pg-2-tbs-hot')
        """
        return instance + {PG_DATA: "", PG_WAL: "-wal"}.get(self.role, f"-tbs-{self.name}")


@dataclass(frozen=True)
class Mount:
    """A volume of an instance, the claim behind it, and where the pod finds its files."""

    volume: Volume
    claim: str
    path: str


def cluster(
    dialect: Dialect, name: str, namespace: str, spec: Manifest, annotations: dict[str, str]
) -> Manifest:
    """A Cluster as a user applies it."""
    metadata = {"name": name, "namespace": namespace, "annotations": annotations}
    return {
        "apiVersion": dialect.clusters.api_version,
        "kind": "Cluster",
        "metadata": metadata,
        "spec": spec,
    }


def owner_reference(cluster: Manifest) -> Manifest:
    """Reference that makes an object the Cluster's own."""
    return {
        "apiVersion": cluster["apiVersion"],
        "kind": "Cluster",
        "name": cluster["metadata"]["name"],
        "uid": cluster["metadata"]["uid"],
        "controller": True,
    }


def volumes(cluster: Manifest) -> list[Volume]:
    """Volumes that each instance of the Cluster has, PGDATA first."""
    spec = cluster["spec"]
    found = [Volume(PG_DATA, spec["storage"]["size"])]
    if "walStorage" in spec:
        found.append(Volume(PG_WAL, spec["walStorage"]["size"]))
    return found + [
        Volume(PG_TABLESPACE, each["storage"]["size"], each["name"]) for each in spec.get("tablespaces", [])
    ]


def claim(cluster: Manifest, serial: int, volume: Volume, instance_role: str) -> Manifest:
    """The claim of a new instance's volume, owned by its Cluster."""
    dialect, instance = dialect_of(cluster), instance_name(cluster["metadata"]["name"], serial)
    tablespace = {dialect.tablespace_name: volume.name} if volume.name else {}
    metadata = _owned(cluster, volume.claim(instance)) | {
        "labels": _labels(cluster, instance, instance_role) | {dialect.pvc_role: volume.role} | tablespace,
        "annotations": {dialect.node_serial: str(serial), dialect.pvc_status: "ready"},
    }
    spec = {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": volume.size}},
        "storageClassName": STORAGE_CLASS,
    }
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": spec}


def pod(
    cluster: Manifest, instance: str, instance_role: str, pgdata: str, mounts: Sequence[Mount]
) -> Manifest:
    """The pod of an instance; `pgdata` is the value of PGDATA in its container `postgres`."""
    labels = _labels(cluster, instance, instance_role) | {dialect_of(cluster).pod_role: "instance"}
    container = {
        "name": "postgres",
        "image": "lab/postgres",
        "env": [{"name": "PGDATA", "value": pgdata}],
        "volumeMounts": [{"name": mount.volume.in_pod, "mountPath": mount.path} for mount in mounts],
    }
    volumes = [
        {"name": mount.volume.in_pod, "persistentVolumeClaim": {"claimName": mount.claim}} for mount in mounts
    ]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": _owned(cluster, instance) | {"labels": labels},
        "spec": {"containers": [container], "volumes": volumes},
    }


def secret(cluster: Manifest, name: str, data: dict[str, str]) -> Manifest:
    """A Secret with its values encoded."""
    encoded = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": _owned(cluster, name), "data": encoded}


def secret_data(secret: Manifest) -> dict[str, str]:
    """Decoded values of a Secret."""
    return {key: base64.b64decode(value).decode() for key, value in secret["data"].items()}


def credentials(cluster: Manifest, password: str) -> dict[str, str]:
    """Values of Secret `<cluster>-app`; the URI holds the namespace and is never rewritten."""
    metadata = cluster["metadata"]
    host = f"{metadata['name']}-rw"
    return {
        "username": "app",
        "user": "app",
        "password": password,
        "dbname": "app",
        "host": host,
        "port": "5432",
        "pgpass": f"{host}:5432:app:app:{password}\n",
        "uri": f"postgresql://app:{password}@{host}.{metadata['namespace']}:5432/app",
    }


def service_names(cluster: Manifest) -> list[str]:
    """Names that the server certificate answers to."""
    name, namespace = cluster["metadata"]["name"], cluster["metadata"]["namespace"]
    return [f"{name}-rw", f"{name}-rw.{namespace}", f"{name}-rw.{namespace}.svc", f"{name}-r", f"{name}-ro"]


def condition(kind: str, *, met: bool) -> Manifest:
    """One entry of `status.conditions`."""
    return {"type": kind, "status": "True" if met else "False"}


def is_met(manifest: Manifest, kind: str) -> bool:
    """Whether the status of an object says that the condition is met."""
    conditions: list[Any] = manifest.get("status", {}).get("conditions", [])
    return any(entry["type"] == kind and entry["status"] == "True" for entry in conditions)


def storage_class() -> Manifest:
    """The lab's only StorageClass."""
    metadata = {"name": STORAGE_CLASS}
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": metadata,
        "provisioner": CSI_DRIVER,
    }


def snapshot_class() -> Manifest:
    """The lab's only VolumeSnapshotClass."""
    return {
        "apiVersion": "snapshot.storage.k8s.io/v1",
        "kind": "VolumeSnapshotClass",
        "metadata": {"name": STORAGE_CLASS},
        "driver": CSI_DRIVER,
        "deletionPolicy": "Delete",
    }


def _owned(cluster: Manifest, name: str) -> Manifest:
    namespace = cluster["metadata"]["namespace"]
    return {"name": name, "namespace": namespace, "ownerReferences": [owner_reference(cluster)]}


def _labels(cluster: Manifest, instance: str, instance_role: str) -> dict[str, str]:
    dialect = dialect_of(cluster)
    return {
        dialect.cluster: cluster["metadata"]["name"],
        dialect.instance_name: instance,
        dialect.instance_role: instance_role,
    }
