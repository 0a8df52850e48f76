"""Keys and names that the operators of the two products put on objects: each in its own dialect."""

from dataclasses import dataclass
from typing import Any, Final, Protocol

from tests.lab.apiserver import CNPG_CLUSTERS, EDB_CLUSTERS, Resource

Manifest = dict[str, Any]

PG_DATA: Final = "PG_DATA"
PG_WAL: Final = "PG_WAL"
PG_TABLESPACE: Final = "PG_TABLESPACE"
PRIMARY: Final = "primary"
REPLICA: Final = "replica"
EVERY_INSTANCE: Final = "*"

STORAGE_CLASS: Final = "lab-csi"
CSI_DRIVER: Final = "lab.csi"

HEALTHY: Final = "Cluster in healthy state"


class _Key:
    """A label or annotation, spelled with the prefix of its dialect."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, dialect: "Dialect", _: object) -> str:
        return dialect.prefix + self._name


@dataclass(frozen=True)
class Dialect:
    """How one product spells what both have; `has_adapter`: it elects, and brings the hook commands."""

    clusters: Resource
    prefix: str
    has_adapter: bool

    cluster = _Key("cluster")
    instance_name = _Key("instanceName")
    instance_role = _Key("instanceRole")
    pod_role = _Key("podRole")
    pvc_role = _Key("pvcRole")
    tablespace_name = _Key("tablespaceName")
    node_serial = _Key("nodeSerial")
    pvc_status = _Key("pvcStatus")
    fenced_instances = _Key("fencedInstances")
    hibernation = _Key("hibernation")
    addons = _Key("addons")
    adapter_config = _Key("externalBackupAdapterClusterConfig")
    backup_instance = _Key("backupInstance")
    cold_primary = _Key("snapshotAllowColdBackupOnPrimary")


EDB: Final = Dialect(EDB_CLUSTERS, "k8s.enterprisedb.io/", has_adapter=True)
CNPG: Final = Dialect(CNPG_CLUSTERS, "cnpg.io/", has_adapter=False)
DIALECTS: Final = (EDB, CNPG)


def dialect_of(manifest: Manifest) -> Dialect:
    """The dialect of a Cluster, or of a pod, claim or Secret of one; StopIteration where it is neither."""
    labels = manifest["metadata"].get("labels") or {}
    return next(
        dialect
        for dialect in DIALECTS
        if manifest["apiVersion"] == dialect.clusters.api_version or dialect.cluster in labels
    )


class Objects(Protocol):
    """Manifests of an API server, simulated or real. Every method raises StatusError where it refuses."""

    def get(self, resource: Resource, namespace: str, name: str) -> Manifest:
        """One object. For cluster-scoped resources `namespace` is ""."""

    def list(
        self, resource: Resource, namespace: str | None = None, labels: str = "", fields: str = ""
    ) -> list[Manifest]:
        """The selected objects; `namespace` None means all of them."""

    def create(self, resource: Resource, manifest: Manifest) -> Manifest:
        """A new object, as it was stored."""


def all_clusters(store: Objects, namespace: str | None = None) -> list[Manifest]:
    """Clusters of both products, in a namespace or everywhere."""
    return [cluster for dialect in DIALECTS for cluster in store.list(dialect.clusters, namespace)]


def instance_name(cluster: str, serial: int) -> str:
    """Name of an instance, which is that of its Pod and of its PGDATA claim."""
    return f"{cluster}-{serial}"


def serial_of(instance: str) -> int:
    """Serial of an instance by its name.

    >>> serial_of("cluster-example-2")
    2
    """
    return int(instance.rpartition("-")[2])
