"""Our installation as the repository ships it, in the store of a simulated API server."""

from collections.abc import Iterator
from pathlib import Path

import yaml

from tests.gateways.conftest import put
from tests.lab.apiserver import (
    BINDINGS,
    BLUEPRINTS,
    CLUSTER_ROLE_BINDINGS,
    CLUSTER_ROLES,
    CONFIGMAPS,
    DEPLOYMENTS,
    NAMESPACES,
    POLICIES,
    STORAGE_CLASSES,
    VOLUME_SNAPSHOT_CLASSES,
    Manifest,
    Resource,
    Store,
)

REPOSITORY = Path(__file__).parents[1]
KASTEN_IO = "kasten-io"
KINDS: dict[str, Resource] = {
    each.kind: each
    for each in (BINDINGS, BLUEPRINTS, CLUSTER_ROLES, CLUSTER_ROLE_BINDINGS, DEPLOYMENTS, POLICIES)
}


def manifests(namespace: str, mode: str) -> Iterator[Manifest]:
    """What `helm install` makes, and a policy for `namespace`."""
    for name in ("edb-hooks", "bindings", "rbac", "watchdog"):
        yield from yaml.safe_load_all((REPOSITORY / "blueprints" / f"{name}.yaml").read_text())
    text = (REPOSITORY / "examples" / f"policy-{mode}.yaml").read_text()
    policy: Manifest = yaml.safe_load(text)
    policy["spec"]["selector"]["matchExpressions"][0]["values"] = [namespace]
    yield policy


def install(store: Store, namespace: str, mode: str = "binding", *, driver: str = "csi") -> None:
    """Install; in policy mode without bindings."""
    store.create(NAMESPACES, {"metadata": {"name": KASTEN_IO}})
    for manifest in manifests(namespace, mode):
        bound = manifest["kind"] == "BlueprintBinding"
        if manifest["kind"] in KINDS and not (bound and mode == "policy"):
            status = {"readyReplicas": 1} if manifest["kind"] == "Deployment" else None
            put(store, KINDS[manifest["kind"]], manifest | ({"status": status} if status else {}))
    limits = {"K10TimeoutBlueprintResourceHooks": "20"}
    store.create(CONFIGMAPS, {"metadata": {"name": "k10-config", "namespace": KASTEN_IO}, "data": limits})
    if not store.list(STORAGE_CLASSES):
        store.create(STORAGE_CLASSES, {"metadata": {"name": "fast"}, "provisioner": driver})
        snapshots = {"metadata": {"name": "fast"}, "driver": driver, "deletionPolicy": "Delete"}
        kind = {"apiVersion": "snapshot.storage.k8s.io/v1", "kind": "VolumeSnapshotClass"}
        store.create(VOLUME_SNAPSHOT_CLASSES, kind | snapshots)


def uninstall(store: Store) -> None:
    """Take all of it away again, but the driver."""
    store.delete(NAMESPACES, "", KASTEN_IO)
    for resource in (CLUSTER_ROLES, CLUSTER_ROLE_BINDINGS):
        for each in store.list(resource):
            store.delete(resource, "", each["metadata"]["name"])
