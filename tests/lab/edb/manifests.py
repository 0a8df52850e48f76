"""Manifests of the objects that EDB's operator creates."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from tests.lab.edb.names import (
    API_VERSION,
    CLUSTER,
    CSI_DRIVER,
    INSTANCE_NAME,
    INSTANCE_ROLE,
    NODE_SERIAL,
    PG_DATA,
    PG_WAL,
    POD_ROLE,
    PVC_ROLE,
    PVC_STATUS,
    STORAGE_CLASS,
    Manifest,
    instance_name,
)

# Name of a volume in the Pod, and what its claim's name ends in, by the role of the claim.
_POD_VOLUMES: Final = {PG_DATA: "pgdata", PG_WAL: "pg-wal"}
_CLAIM_SUFFIXES: Final = {PG_DATA: "", PG_WAL: "-wal"}


@dataclass(frozen=True)
class Mount:
    """A claim of an instance (`role` PG_DATA or PG_WAL) and where the pod finds its files."""

    role: str
    claim: str
    path: str


def cluster(name: str, namespace: str, spec: Manifest, annotations: dict[str, str]) -> Manifest:
    """A Cluster as a user applies it."""
    metadata = {"name": name, "namespace": namespace, "annotations": annotations}
    return {"apiVersion": API_VERSION, "kind": "Cluster", "metadata": metadata, "spec": spec}


def owner_reference(cluster: Manifest) -> Manifest:
    """Reference that makes an object the Cluster's own."""
    return {
        "apiVersion": API_VERSION,
        "kind": "Cluster",
        "name": cluster["metadata"]["name"],
        "uid": cluster["metadata"]["uid"],
        "controller": True,
    }


def volume_roles(cluster: Manifest) -> list[str]:
    """Roles of the claims that each instance of the Cluster has."""
    return [PG_DATA, PG_WAL] if "walStorage" in cluster["spec"] else [PG_DATA]


def claim_name(instance: str, role: str) -> str:
    """Name of an instance's claim.

    >>> claim_name("pg-2", "PG_WAL")
    'pg-2-wal'
    """
    return instance + _CLAIM_SUFFIXES[role]


def claim(cluster: Manifest, serial: int, role: str, instance_role: str) -> Manifest:
    """A volume of a new instance, owned by its Cluster."""
    instance = instance_name(cluster["metadata"]["name"], serial)
    storage = cluster["spec"]["walStorage" if role == PG_WAL else "storage"]
    metadata = _owned(cluster, claim_name(instance, role)) | {
        "labels": _labels(cluster, instance, instance_role) | {PVC_ROLE: role},
        "annotations": {NODE_SERIAL: str(serial), PVC_STATUS: "ready"},
    }
    spec = {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": storage["size"]}},
        "storageClassName": STORAGE_CLASS,
    }
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": spec}


def pod(
    cluster: Manifest, instance: str, instance_role: str, pgdata: str, mounts: Sequence[Mount]
) -> Manifest:
    """The pod of an instance; `pgdata` is the value of PGDATA in its container `postgres`."""
    labels = _labels(cluster, instance, instance_role) | {POD_ROLE: "instance"}
    container = {
        "name": "postgres",
        "image": "lab/postgres",
        "env": [{"name": "PGDATA", "value": pgdata}],
        "volumeMounts": [{"name": _POD_VOLUMES[mount.role], "mountPath": mount.path} for mount in mounts],
    }
    volumes = [
        {"name": _POD_VOLUMES[mount.role], "persistentVolumeClaim": {"claimName": mount.claim}}
        for mount in mounts
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
    return [f"{name}-rw", f"{name}-rw.{namespace}", f"{name}-r", f"{name}-ro"]


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
    return {
        CLUSTER: cluster["metadata"]["name"],
        INSTANCE_NAME: instance,
        INSTANCE_ROLE: instance_role,
    }
