"""Keys and names that EDB's operator and its `kasten` add-on put on objects."""

from typing import Any, Final

Manifest = dict[str, Any]

GROUP: Final = "postgresql.k8s.enterprisedb.io"
API_VERSION: Final = f"{GROUP}/v1"
PREFIX: Final = "k8s.enterprisedb.io/"

CLUSTER: Final = f"{PREFIX}cluster"
INSTANCE_NAME: Final = f"{PREFIX}instanceName"
INSTANCE_ROLE: Final = f"{PREFIX}instanceRole"
POD_ROLE: Final = f"{PREFIX}podRole"
PVC_ROLE: Final = f"{PREFIX}pvcRole"
NODE_SERIAL: Final = f"{PREFIX}nodeSerial"
PVC_STATUS: Final = f"{PREFIX}pvcStatus"
FENCED_INSTANCES: Final = f"{PREFIX}fencedInstances"
BACKUP_INSTANCE: Final = f"{PREFIX}backupInstance"
ADDONS: Final = f"{PREFIX}addons"
COLD_PRIMARY: Final = f"{PREFIX}snapshotAllowColdBackupOnPrimary"

PG_DATA: Final = "PG_DATA"
PG_WAL: Final = "PG_WAL"
PRIMARY: Final = "primary"
REPLICA: Final = "replica"
EVERY_INSTANCE: Final = "*"

STORAGE_CLASS: Final = "lab-csi"
CSI_DRIVER: Final = "lab.csi"

KASTEN: Final = "kasten-enterprisedb.io/"
ELECTED: Final = f"{KASTEN}elected"
EXCLUDED: Final = f"{KASTEN}excluded"
EXCLUDED_REASON: Final = f"{KASTEN}excluded-reason"
HAS_HOOKS: Final = f"{KASTEN}hasHooks"
BLUEPRINT: Final = "kanister.kasten.io/blueprint"

HEALTHY: Final = "Cluster in healthy state"


def instance_name(cluster: str, serial: int) -> str:
    """Name of an instance, which is that of its Pod and of its PGDATA claim."""
    return f"{cluster}-{serial}"


def serial_of(instance: str) -> int:
    """Serial of an instance by its name.

    >>> serial_of("cluster-example-2")
    2
    """
    return int(instance.rpartition("-")[2])
