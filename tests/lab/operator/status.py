"""What the operator reports in the status of its pods and of the Cluster."""

from collections.abc import Mapping
from typing import Any

from tests.lab.apiserver import PODS, PVCS, Store
from tests.lab.operator.decisions import labels
from tests.lab.operator.manifests import condition
from tests.lab.operator.names import HEALTHY, PRIMARY, REPLICA, Manifest, dialect_of


def set_status(store: Store, cluster: Manifest, **fields: Any) -> Manifest:
    """Write fields of the Cluster's status; conditions that are named replace their like."""
    conditions = {entry["type"]: entry for entry in fields.pop("conditions", [])}

    def edit(manifest: Manifest) -> None:
        status = manifest.setdefault("status", {})
        known = {entry["type"]: entry for entry in status.get("conditions", [])}
        status.update(fields, conditions=list((known | conditions).values()))

    metadata = cluster["metadata"]
    clusters = dialect_of(cluster).clusters
    return store.update(clusters, metadata["namespace"], metadata["name"], edit, status=True)


def report(store: Store, cluster: Manifest, readiness: Mapping[str, bool]) -> None:
    """Report the readiness of each instance, by name, and what follows from it for the Cluster.

    The phase looks at how many instances there are and not at their readiness: the real one was observed to
    call itself healthy with a fenced instance, and even without a primary.
    """
    for instance, ready in readiness.items():
        _report_pod(store, cluster["metadata"]["namespace"], instance, ready=ready)
    wanted = cluster["spec"]["instances"]
    complete = len(readiness) == wanted
    set_status(
        store,
        cluster,
        instances=wanted,
        readyInstances=sum(readiness.values()),
        instanceNames=sorted(readiness),
        phase=HEALTHY if complete else "Creating a new replica",
        conditions=[condition("Ready", met=complete)],
    )


def label_roles(store: Store, cluster: Manifest, primary: str) -> None:
    """Label every pod and owned claim of the Cluster with the role of its instance; bind the claims."""
    namespace, name = cluster["metadata"]["namespace"], cluster["metadata"]["name"]
    dialect = dialect_of(cluster)
    selector = f"{dialect.cluster}={name}"

    def label(manifest: Manifest) -> None:
        leads = labels(manifest)[dialect.instance_name] == primary
        manifest["metadata"]["labels"][dialect.instance_role] = PRIMARY if leads else REPLICA

    def bind(manifest: Manifest) -> None:
        manifest["status"] = {"phase": "Bound"}

    for resource in (PODS, PVCS):
        for manifest in store.list(resource, namespace, labels=selector):
            if manifest["metadata"].get("ownerReferences"):
                store.update(resource, namespace, manifest["metadata"]["name"], label)
    for claim in store.list(PVCS, namespace, labels=selector):
        store.update(PVCS, namespace, claim["metadata"]["name"], bind, status=True)


def _report_pod(store: Store, namespace: str, name: str, *, ready: bool) -> None:
    def edit(manifest: Manifest) -> None:
        manifest["status"] = {
            "phase": "Running",
            "podIP": "127.0.0.1",
            "conditions": [condition("Ready", met=ready), condition("ContainersReady", met=ready)],
            "containerStatuses": [{"name": "postgres", "ready": ready, "restartCount": 0}],
        }

    store.update(PODS, namespace, name, edit, status=True)
