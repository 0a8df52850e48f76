"""The kinds of objects that the simulated API server knows."""

from dataclasses import dataclass
from typing import Any, TypeAlias

Manifest: TypeAlias = dict[str, Any]
"""One Kubernetes object as JSON: string keys, no Python types that JSON does not have."""


@dataclass(frozen=True)
class Resource:
    """One REST resource: where its objects live and which rules of the API server hold for them."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True
    status: bool = False
    """Has a status subresource: only that writes `.status`, and only that leaves `.spec` alone."""
    custom: bool = False
    """Defined by a CustomResourceDefinition: no strategic merge patch, no unconditional PUT."""
    initial_phase: str = ""
    """`.status.phase` that the API server itself gives to a new object."""

    @property
    def api_version(self) -> str:
        """`apiVersion` of its manifests."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def qualified_name(self) -> str:
        """Name as in the API server's messages, for example `leases.coordination.k8s.io`."""
        return f"{self.plural}.{self.group}" if self.group else self.plural


_SNAPSHOTS = "snapshot.storage.k8s.io"
_EDB = "postgresql.k8s.enterprisedb.io"
_CNPG = "postgresql.cnpg.io"
_KASTEN = "config.kio.kasten.io"
_RBAC = "rbac.authorization.k8s.io"

NAMESPACES = Resource(
    "", "v1", "namespaces", "Namespace", namespaced=False, status=True, initial_phase="Active"
)
PODS = Resource("", "v1", "pods", "Pod", status=True, initial_phase="Pending")
PVCS = Resource(
    "", "v1", "persistentvolumeclaims", "PersistentVolumeClaim", status=True, initial_phase="Pending"
)
SECRETS = Resource("", "v1", "secrets", "Secret")
CONFIGMAPS = Resource("", "v1", "configmaps", "ConfigMap")
SERVICES = Resource("", "v1", "services", "Service", status=True)
EVENTS = Resource("", "v1", "events", "Event")
LEASES = Resource("coordination.k8s.io", "v1", "leases", "Lease")
STORAGE_CLASSES = Resource("storage.k8s.io", "v1", "storageclasses", "StorageClass", namespaced=False)
VOLUME_SNAPSHOTS = Resource(_SNAPSHOTS, "v1", "volumesnapshots", "VolumeSnapshot", status=True, custom=True)
VOLUME_SNAPSHOT_CLASSES = Resource(
    _SNAPSHOTS, "v1", "volumesnapshotclasses", "VolumeSnapshotClass", namespaced=False, custom=True
)
VOLUME_SNAPSHOT_CONTENTS = Resource(
    _SNAPSHOTS,
    "v1",
    "volumesnapshotcontents",
    "VolumeSnapshotContent",
    namespaced=False,
    status=True,
    custom=True,
)
EDB_CLUSTERS = Resource(_EDB, "v1", "clusters", "Cluster", status=True, custom=True)
EDB_BACKUPS = Resource(_EDB, "v1", "backups", "Backup", status=True, custom=True)
CNPG_CLUSTERS = Resource(_CNPG, "v1", "clusters", "Cluster", status=True, custom=True)
CNPG_BACKUPS = Resource(_CNPG, "v1", "backups", "Backup", status=True, custom=True)
EDB_SCHEDULED_BACKUPS = Resource(_EDB, "v1", "scheduledbackups", "ScheduledBackup", custom=True)
CNPG_SCHEDULED_BACKUPS = Resource(_CNPG, "v1", "scheduledbackups", "ScheduledBackup", custom=True)
DEPLOYMENTS = Resource("apps", "v1", "deployments", "Deployment", status=True)
CLUSTER_ROLES = Resource(_RBAC, "v1", "clusterroles", "ClusterRole", namespaced=False)
CLUSTER_ROLE_BINDINGS = Resource(_RBAC, "v1", "clusterrolebindings", "ClusterRoleBinding", namespaced=False)
ROLE_BINDINGS = Resource(_RBAC, "v1", "rolebindings", "RoleBinding")
ACCESS_REVIEWS = Resource(
    "authorization.k8s.io", "v1", "subjectaccessreviews", "SubjectAccessReview", namespaced=False
)
"""Answered, never stored."""
POLICIES = Resource(_KASTEN, "v1alpha1", "policies", "Policy", custom=True)
BINDINGS = Resource(_KASTEN, "v1alpha1", "blueprintbindings", "BlueprintBinding", custom=True)
BLUEPRINTS = Resource("cr.kanister.io", "v1alpha1", "blueprints", "Blueprint", custom=True)

RESOURCES: tuple[Resource, ...] = (
    NAMESPACES,
    PODS,
    PVCS,
    SECRETS,
    CONFIGMAPS,
    SERVICES,
    EVENTS,
    LEASES,
    STORAGE_CLASSES,
    VOLUME_SNAPSHOTS,
    VOLUME_SNAPSHOT_CLASSES,
    VOLUME_SNAPSHOT_CONTENTS,
    EDB_CLUSTERS,
    EDB_BACKUPS,
    CNPG_CLUSTERS,
    CNPG_BACKUPS,
    EDB_SCHEDULED_BACKUPS,
    CNPG_SCHEDULED_BACKUPS,
    DEPLOYMENTS,
    CLUSTER_ROLES,
    CLUSTER_ROLE_BINDINGS,
    ROLE_BINDINGS,
    ACCESS_REVIEWS,
    POLICIES,
    BINDINGS,
    BLUEPRINTS,
)
