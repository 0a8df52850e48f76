"""Plain manifests in EDB's dialect, as the API server hands them out, and the world that they make.

Everything starts out healthy: cluster `pg` in namespace `prod`, primary pg-1, elected pg-2, replica pg-3.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from kanfunc.domain.flavour import EDB
from kanfunc.domain.lsn import Lsn
from kanfunc.domain.record import Proof, Record, State
from kanfunc.domain.world import Cluster, ClusterRef, Instance, RunningBackup, Volume, World

Manifest = dict[str, Any]

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
REF = ClusterRef("prod", "pg", EDB)
KASTEN = "kasten-enterprisedb.io"
FENCED, ADDONS = EDB.key("fencedInstances"), EDB.key("addons")
PRE = ("/controller/manager", "snapshot", "hook", "pre", "backup")
ON_ERROR = ("/controller/manager", "snapshot", "hook", "pre", "onError")
POST = ("/controller/manager", "snapshot", "hook", "post", "backup")


def cluster_manifest(annotations: Mapping[str, str] | None = None, **spec: Any) -> Manifest:
    """A Cluster with the add-on `kasten`; `spec` goes over the default specification."""
    return {
        "apiVersion": f"{EDB.group}/{EDB.version}",
        "kind": "Cluster",
        "metadata": {
            "name": REF.name,
            "namespace": REF.namespace,
            "uid": "uid-cluster",
            "annotations": {ADDONS: '["kasten"]', **(annotations or {})},
        },
        "spec": {"instances": 3, **spec},
        "status": {"currentPrimary": "pg-1", "targetPrimary": "pg-1"},
    }


def pod_manifest(name: str, *, claims: Mapping[str, str] | None = None, elected: bool = False) -> Manifest:
    """A ready instance pod; `claims` maps claim names to mount paths (default: its PGDATA claim)."""
    mounts = claims or {name: "/var/lib/postgresql/data"}
    decoration = {"labels": {f"{KASTEN}/excluded": "true"}, "annotations": {}}
    if elected:
        decoration = {"labels": {f"{KASTEN}/hasHooks": "true"}, "annotations": _hooks()}
    metadata = _metadata(name, name, decoration["labels"])
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {**metadata, "annotations": decoration["annotations"]},
        "spec": {
            "containers": [
                {
                    "name": "postgres",
                    "image": "postgres",
                    "volumeMounts": [{"name": claim, "mountPath": path} for claim, path in mounts.items()],
                }
            ],
            "volumes": [{"name": claim, "persistentVolumeClaim": {"claimName": claim}} for claim in mounts],
        },
        "status": {"conditions": [{"type": "Ready", "status": "True"}]},
    }


def claim_manifest(name: str, instance: str, *, role: str = "PG_DATA", elected: bool = False) -> Manifest:
    """A volume of an instance, with the adapter's label."""
    labels = {f"{KASTEN}/{'elected' if elected else 'excluded'}": "true", EDB.key("pvcRole"): role}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {
            **_metadata(name, instance, labels),
            "creationTimestamp": f"{NOW - timedelta(days=1):%Y-%m-%dT%H:%M:%SZ}",
        },
        "spec": {"storageClassName": "fast"},
    }


def snapshot_manifest(name: str, claim: str, *, cut: bool = True) -> Manifest:
    """A VolumeSnapshot; `cut` says that the driver has taken it."""
    return {
        "apiVersion": "snapshot.storage.k8s.io/v1",
        "kind": "VolumeSnapshot",
        "metadata": {"name": name, "namespace": REF.namespace, "uid": f"uid-{name}"},
        "spec": {"source": {"persistentVolumeClaimName": claim}},
        "status": {"creationTime": "2026-11-23T09:05:00Z"} if cut else {},
    }


def backup_manifest(name: str, *, phase: str = "running", instance: str = "") -> Manifest:
    """The operator's own Backup; `instance` once it has chosen one."""
    return {
        "apiVersion": f"{EDB.group}/{EDB.version}",
        "kind": "Backup",
        "metadata": {"name": name, "namespace": REF.namespace},
        "spec": {"cluster": {"name": REF.name}},
        "status": {"phase": phase, **({"instanceID": {"podName": instance}} if instance else {})},
    }


def _metadata(name: str, instance: str, labels: Mapping[str, str]) -> Manifest:
    own = {EDB.key("cluster"): REF.name, EDB.key("instanceName"): instance}
    return {"name": name, "namespace": REF.namespace, "uid": f"uid-{name}", "labels": {**own, **labels}}


def _hooks() -> dict[str, str]:
    return {
        f"{KASTEN}/pre-backup-container": "postgres",
        f"{KASTEN}/pre-backup-command": json.dumps(PRE),
        f"{KASTEN}/pre-backup-on-error": json.dumps(ON_ERROR),
        f"{KASTEN}/post-backup-container": "postgres",
        f"{KASTEN}/post-backup-command": json.dumps(POST),
    }


@dataclass
class Scene:
    """Manifests to spoil, by name; `world()` reads them as they are then."""

    cluster: Manifest = field(default_factory=cluster_manifest)
    pods: dict[str, Manifest] = field(default_factory=dict)
    claims: dict[str, Manifest] = field(default_factory=dict)
    backups: list[Manifest] = field(default_factory=list)

    def world(self) -> World:
        """The world at NOW."""
        backups = (RunningBackup.from_manifest(backup) for backup in self.backups)
        return World(
            cluster=Cluster.from_manifest(self.cluster, EDB, NOW),
            instances=tuple(Instance.from_manifest(pod) for pod in self.pods.values()),
            volumes=tuple(Volume.from_manifest(claim, EDB) for claim in self.claims.values()),
            backups=tuple(backup for backup in backups if backup),
        )


def healthy() -> Scene:
    """Three instances, one volume each."""
    names = ("pg-1", "pg-2", "pg-3")
    return Scene(
        pods={name: pod_manifest(name, elected=name == "pg-2") for name in names},
        claims={name: claim_manifest(name, name, elected=name == "pg-2") for name in names},
    )


def cluster(annotations: Mapping[str, str] | None = None, **spec: Any) -> Cluster:
    """The Cluster alone, read at NOW."""
    return Cluster.from_manifest(cluster_manifest(annotations, **spec), EDB, NOW)


def proof(**changes: Any) -> Proof:
    """What was measured at a good fence of pg-2."""
    values: dict[str, Any] = {
        "bound": Lsn.parse("0/98E4000"),
        "bound_at": NOW,
        "xid": "725",
        "end_of_wal": Lsn.parse("0/98E4300"),
        "minimum_recovery": Lsn.parse("0/98E4200"),
        "timeline": 1,
        "system_identifier": "7711300797202939188",
        "digest": "c0ffee",
        "control_version": "1300",
    }
    return Proof(**{**values, **changes})


def record(state: State = State.SEALED, **changes: Any) -> Record:
    """The record of a fence of pg-2, begun at NOW."""
    values: dict[str, Any] = {
        "id": "fence-1",
        "cluster_uid": "uid-cluster",
        "instance": "pg-2",
        "pod_uid": "uid-pg-2",
        "volumes": {"pg-2": "uid-pg-2"},
        "state": state,
        "started": NOW,
        "deadline": NOW + timedelta(hours=1),
    }
    return Record(**{**values, **changes})
