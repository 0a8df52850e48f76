"""Snapshots and restores through CSI, as Kasten asks for them."""

from dataclasses import dataclass
from uuid import uuid4

from tests.cluster.node.storage import CSI_DRIVER, SNAPSHOT_CLASS
from tests.cluster.objects import RealObjects
from tests.lab.apiserver import PVCS, VOLUME_SNAPSHOT_CONTENTS, VOLUME_SNAPSHOTS
from tests.lab.kasten.actions import Data, Manifest, Volumes

_API = "snapshot.storage.k8s.io"


@dataclass(frozen=True)
class CsiVolumes(Volumes):
    """A volume's data are the handle of its snapshot, which is made to outlive its namespace: our export."""

    objects: RealObjects

    def snapshot(self, claim: Manifest) -> Data:
        metadata = claim["metadata"]
        source = {"persistentVolumeClaimName": metadata["name"]}
        created = self.objects.create(
            VOLUME_SNAPSHOTS, _snapshot(metadata["namespace"], {"generateName": "k10-csi-snap-"}, source)
        )
        ready = self.objects.await_object(
            VOLUME_SNAPSHOTS,
            metadata["namespace"],
            created["metadata"]["name"],
            lambda snapshot: (snapshot.get("status") or {}).get("readyToUse"),
        )
        content = ready["status"]["boundVolumeSnapshotContentName"]
        kept = {"spec": {"deletionPolicy": "Retain"}}
        return self.objects.patch(VOLUME_SNAPSHOT_CONTENTS, "", content, kept)["status"]["snapshotHandle"]

    def restore(self, claim: Manifest, data: Data) -> None:
        namespace, name = claim["metadata"]["namespace"], f"restored-{uuid4().hex[:12]}"
        self.objects.create(
            VOLUME_SNAPSHOT_CONTENTS,
            {
                "apiVersion": VOLUME_SNAPSHOT_CONTENTS.api_version,
                "kind": VOLUME_SNAPSHOT_CONTENTS.kind,
                "metadata": {"name": name},
                "spec": {
                    "deletionPolicy": "Retain",
                    "driver": CSI_DRIVER,
                    "source": {"snapshotHandle": data},
                    "volumeSnapshotClassName": SNAPSHOT_CLASS,
                    "volumeSnapshotRef": {"name": name, "namespace": namespace},
                },
            },
        )
        bound = {"volumeSnapshotContentName": name}
        self.objects.create(VOLUME_SNAPSHOTS, _snapshot(namespace, {"name": name}, bound))
        kept = ("accessModes", "resources", "storageClassName", "volumeMode")
        spec = {key: claim["spec"][key] for key in kept if key in claim["spec"]}
        source = {"dataSource": {"apiGroup": _API, "kind": VOLUME_SNAPSHOTS.kind, "name": name}}
        self.objects.create(PVCS, claim | {"metadata": _unbound(claim), "spec": spec | source})


def _unbound(claim: Manifest) -> Manifest:
    """Without what says that the claim has its volume already: Kubernetes would take the data for lost."""
    metadata: Manifest = claim["metadata"]
    kept = {
        key: value
        for key, value in metadata.get("annotations", {}).items()
        if not key.split("/")[0].endswith(("pv.kubernetes.io", "volume.kubernetes.io", "beta.kubernetes.io"))
    }
    return metadata | {"annotations": kept}


def _snapshot(namespace: str, name: Manifest, source: Manifest) -> Manifest:
    return {
        "apiVersion": VOLUME_SNAPSHOTS.api_version,
        "kind": VOLUME_SNAPSHOTS.kind,
        "metadata": {"namespace": namespace, **name},
        "spec": {"volumeSnapshotClassName": SNAPSHOT_CLASS, "source": source},
    }
