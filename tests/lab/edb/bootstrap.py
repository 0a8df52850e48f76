"""How a new Cluster gets its first instances: by adopting restored volumes, or else by initdb."""

from contextlib import suppress

from tests.lab.apiserver import EDB_CLUSTERS, PODS, PVCS, StatusError
from tests.lab.edb.decisions import Adoption, adoption, annotations, is_orphan
from tests.lab.edb.manifests import claim, owner_reference, volume_roles
from tests.lab.edb.names import (
    CLUSTER,
    FENCED_INSTANCES,
    PVC_STATUS,
    Manifest,
    instance_name,
)
from tests.lab.edb.runtime import Runtime


def adopt(runtime: Runtime, cluster: Manifest) -> Adoption | None:
    """Take over the restored volumes of a Cluster that was never initialised; None where there are none."""
    store, metadata = runtime.store, cluster["metadata"]
    namespace, name = metadata["namespace"], metadata["name"]
    claims = store.list(PVCS, namespace)
    found = adoption(name, claims)
    if found is None:
        return None
    _remove_ownerless_pods(runtime, namespace, name)
    store.update(EDB_CLUSTERS, namespace, name, _lift_every_fence)
    for orphan in claims:
        if is_orphan(orphan, name):
            store.update(
                PVCS, namespace, orphan["metadata"]["name"], lambda manifest: _own(manifest, cluster)
            )
    return found


def create_claims(runtime: Runtime, cluster: Manifest, serial: int, instance_role: str) -> str:
    """Create the claims of a new instance; its name."""
    for role in volume_roles(cluster):
        runtime.store.create(PVCS, claim(cluster, serial, role, instance_role))
    return instance_name(cluster["metadata"]["name"], serial)


def _remove_ownerless_pods(runtime: Runtime, namespace: str, cluster: str) -> None:
    for pod in runtime.store.list(PODS, namespace, labels=f"{CLUSTER}={cluster}"):
        if not pod["metadata"].get("ownerReferences"):
            with suppress(StatusError):  # somebody else was faster
                runtime.store.delete(PODS, namespace, pod["metadata"]["name"])


def _lift_every_fence(cluster: Manifest) -> None:
    annotations(cluster).pop(FENCED_INSTANCES, None)


def _own(manifest: Manifest, cluster: Manifest) -> None:
    manifest["metadata"]["ownerReferences"] = [owner_reference(cluster)]
    manifest["metadata"]["annotations"][PVC_STATUS] = "ready"
