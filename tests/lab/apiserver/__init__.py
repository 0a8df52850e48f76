"""A simulated Kubernetes API server: real HTTP and WebSocket in front of a store in this process.

It keeps the rules that a careful client leans on (optimistic concurrency, watches that expire, status
subresources, owner references, what a JSON patch may do) and leaves out schemas, admission and access
control. Stand-ins for controllers act on the `Store` directly, clients come in through the `ApiServer`.
"""

from tests.lab.apiserver.errors import StatusError, internal
from tests.lab.apiserver.execs import ExecHandler, ExecRequest, Reply, Spawn
from tests.lab.apiserver.faults import Delay, Drop, Fault, LoseAnswer, Refuse
from tests.lab.apiserver.journal import Event, Subscription
from tests.lab.apiserver.patches import JSON_PATCH, MERGE_PATCH
from tests.lab.apiserver.resources import (
    BINDINGS,
    BLUEPRINTS,
    CLUSTER_ROLE_BINDINGS,
    CLUSTER_ROLES,
    CNPG_BACKUPS,
    CNPG_CLUSTERS,
    CNPG_SCHEDULED_BACKUPS,
    CONFIGMAPS,
    DEPLOYMENTS,
    EDB_BACKUPS,
    EDB_CLUSTERS,
    EDB_SCHEDULED_BACKUPS,
    EVENTS,
    LEASES,
    NAMESPACES,
    PODS,
    POLICIES,
    PVCS,
    ROLE_BINDINGS,
    SECRETS,
    SERVICES,
    STORAGE_CLASSES,
    VOLUME_SNAPSHOT_CLASSES,
    VOLUME_SNAPSHOT_CONTENTS,
    VOLUME_SNAPSHOTS,
    Manifest,
    Resource,
)
from tests.lab.apiserver.routes import Request
from tests.lab.apiserver.selectors import Selection
from tests.lab.apiserver.server import ApiServer
from tests.lab.apiserver.store import Store

__all__ = [
    "BINDINGS",
    "BLUEPRINTS",
    "CLUSTER_ROLES",
    "CLUSTER_ROLE_BINDINGS",
    "CNPG_BACKUPS",
    "CNPG_CLUSTERS",
    "CNPG_SCHEDULED_BACKUPS",
    "CONFIGMAPS",
    "DEPLOYMENTS",
    "EDB_BACKUPS",
    "EDB_CLUSTERS",
    "EDB_SCHEDULED_BACKUPS",
    "EVENTS",
    "JSON_PATCH",
    "LEASES",
    "MERGE_PATCH",
    "NAMESPACES",
    "PODS",
    "POLICIES",
    "PVCS",
    "ROLE_BINDINGS",
    "SECRETS",
    "SERVICES",
    "STORAGE_CLASSES",
    "VOLUME_SNAPSHOTS",
    "VOLUME_SNAPSHOT_CLASSES",
    "VOLUME_SNAPSHOT_CONTENTS",
    "ApiServer",
    "Delay",
    "Drop",
    "Event",
    "ExecHandler",
    "ExecRequest",
    "Fault",
    "LoseAnswer",
    "Manifest",
    "Refuse",
    "Reply",
    "Request",
    "Resource",
    "Selection",
    "Spawn",
    "StatusError",
    "Store",
    "Subscription",
    "internal",
]
