"""How a new Cluster gets its first instances: by adopting restored volumes, or else by initdb."""

from contextlib import suppress

from tests.lab.apiserver import PODS, PVCS, StatusError
from tests.lab.operator.decisions import Adoption, adoption, annotations, is_orphan
from tests.lab.operator.manifests import claim, owner_reference, volumes
from tests.lab.operator.names import Manifest, dialect_of, instance_name
from tests.lab.operator.runtime import Runtime


def adopt(runtime: Runtime, cluster: Manifest) -> Adoption | None:
    """Take over the restored volumes of a Cluster that was never initialised; None where there are none."""
    store, metadata, dialect = runtime.store, cluster["metadata"], dialect_of(cluster)
    namespace, name = metadata["namespace"], metadata["name"]
    claims = store.list(PVCS, namespace)
    found = adoption(dialect, name, claims)
    if found is None:
        return None
    for pod in store.list(PODS, namespace, labels=f"{dialect.cluster}={name}"):
        if not pod["metadata"].get("ownerReferences"):
            with suppress(StatusError):  # somebody else was faster
                store.delete(PODS, namespace, pod["metadata"]["name"])
    store.update(dialect.clusters, namespace, name, _lift_every_fence)
    for orphan in claims:
        if is_orphan(dialect, orphan, name):
            store.update(
                PVCS, namespace, orphan["metadata"]["name"], lambda manifest: _own(manifest, cluster)
            )
    return found


def create_claims(runtime: Runtime, cluster: Manifest, serial: int, instance_role: str) -> str:
    """Create the claims of a new instance; its name."""
    for volume in volumes(cluster):
        runtime.store.create(PVCS, claim(cluster, serial, volume, instance_role))
    return instance_name(cluster["metadata"]["name"], serial)


def _lift_every_fence(cluster: Manifest) -> None:
    annotations(cluster).pop(dialect_of(cluster).fenced_instances, None)


def _own(manifest: Manifest, cluster: Manifest) -> None:
    manifest["metadata"]["ownerReferences"] = [owner_reference(cluster)]
    manifest["metadata"]["annotations"][dialect_of(cluster).pvc_status] = "ready"
