"""Volumes and snapshots of the node."""

import os

from tests.cluster.node.build import sources
from tests.cluster.node.client import apply, kubectl
from tests.cluster.node.places import BIN, KUBECONFIG, KUBELET, VOLUMES
from tests.cluster.node.processes import eventually, start

NODE = "node"
CSI_DRIVER = os.environ.get("KANFUNC_CLUSTER_CSI_DRIVER") or "directory.csi.kanfunc.io"
SNAPSHOT_CLASS = os.environ.get("KANFUNC_CLUSTER_SNAPSHOT_CLASS") or CSI_DRIVER
_TYPES = "github.com/kubernetes-csi/external-snapshotter/client/v8"


def start_storage() -> None:
    """The CSI driver, which is ours, with the upstream controllers of volumes and snapshots."""
    snapshots = "snapshot.storage.k8s.io"
    folder = sources("addons", _TYPES)
    kinds = ("volumesnapshotclasses", "volumesnapshotcontents", "volumesnapshots")
    kubectl("apply", "--server-side", *(f"-f{folder}/config/crd/{snapshots}_{kind}.yaml" for kind in kinds))
    kubectl(
        "wait", "--for=condition=Established", *(f"crd/{kind}.{snapshots}" for kind in kinds), "--timeout=30s"
    )
    start("csi", BIN / "csi", "-node", NODE, "-state", VOLUMES, "-kubelet", KUBELET)
    socket = KUBELET / "plugins" / CSI_DRIVER / "csi.sock"
    eventually("the CSI driver to listen", socket.is_socket)
    client = [f"--kubeconfig={KUBECONFIG}", "--leader-election=false"]
    driver = [*client, f"--csi-address=unix://{socket}"]
    topology = ["--feature-gates=Topology=true", "--immediate-topology=false"]
    start("csi-provisioner", BIN / "csi-provisioner", *driver, *topology, env={"NODE_NAME": NODE})
    start("csi-snapshotter", BIN / "csi-snapshotter", *driver)
    # a snapshot that went before the claim it was for: the controller learns of the latter only so
    start("snapshot-controller", BIN / "snapshot-controller", *client, "--resync-period=15s")
    apply(*_storage_objects(snapshots))
    eventually(
        "the kubelet to know the driver", lambda: CSI_DRIVER in kubectl("get", "csinode", NODE, "-o", "yaml")
    )


def _storage_objects(snapshots: str) -> list[object]:
    return [
        {
            "apiVersion": "storage.k8s.io/v1",
            "kind": "CSIDriver",
            "metadata": {"name": CSI_DRIVER},
            "spec": {
                "attachRequired": False,
                "fsGroupPolicy": "File",
                "volumeLifecycleModes": ["Persistent"],
            },
        },
        {
            "apiVersion": "storage.k8s.io/v1",
            "kind": "StorageClass",
            "metadata": {
                "name": CSI_DRIVER,
                "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
            },
            "provisioner": CSI_DRIVER,
            "volumeBindingMode": "WaitForFirstConsumer",
        },
        {
            "apiVersion": f"{snapshots}/v1",
            "kind": "VolumeSnapshotClass",
            "metadata": {"name": SNAPSHOT_CLASS},
            "driver": CSI_DRIVER,
            "deletionPolicy": "Delete",
        },
    ]
