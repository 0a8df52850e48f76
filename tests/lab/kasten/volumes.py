"""Volumes of the lab, as Kasten snapshots and restores them."""

import threading
import time

from tests.lab.apiserver import PVCS, VOLUME_SNAPSHOT_CONTENTS, VOLUME_SNAPSHOTS, Store
from tests.lab.kasten.actions import ActionFailed, Data, Manifest, Volumes
from tests.lab.operator.names import CSI_DRIVER, STORAGE_CLASS
from tests.lab.storage import Storage


class LabVolumes(Volumes):
    """Each snapshot is cut `cut_delay` seconds after it was asked for; `closing` ends waits early."""

    def __init__(
        self, store: Store, storage: Storage, closing: threading.Event, cut_delay: float = 0.0
    ) -> None:
        self._store = store
        self._storage = storage
        self._closing = closing
        self._cut_delay = cut_delay

    def snapshot(self, claim: Manifest) -> Data:
        """Waits for `cut_delay` before it is cut."""
        snapshot = self._store.create(VOLUME_SNAPSHOTS, _snapshot_of(claim))
        if self._closing.wait(self._cut_delay):
            raise ActionFailed("the lab was closed")
        self._storage.cut(claim, snapshot)
        content = self._store.create(VOLUME_SNAPSHOT_CONTENTS, _content_of(snapshot))

        def ready(manifest: Manifest) -> None:
            manifest["status"] = {
                "boundVolumeSnapshotContentName": content["metadata"]["name"],
                "creationTime": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
                "readyToUse": True,
            }

        metadata = snapshot["metadata"]
        self._store.update(VOLUME_SNAPSHOTS, metadata["namespace"], metadata["name"], ready, status=True)
        return self._storage.path(snapshot)

    def restore(self, claim: Manifest, data: Data) -> None:
        """Of a directory."""
        self._storage.restore(data, self._store.create(PVCS, claim))


def _snapshot_of(claim: Manifest) -> Manifest:
    metadata = {"generateName": "k10-csi-snap-", "namespace": claim["metadata"]["namespace"]}
    source = {"persistentVolumeClaimName": claim["metadata"]["name"]}
    return {
        "apiVersion": "snapshot.storage.k8s.io/v1",
        "kind": "VolumeSnapshot",
        "metadata": metadata,
        "spec": {"volumeSnapshotClassName": STORAGE_CLASS, "source": source},
    }


def _content_of(snapshot: Manifest) -> Manifest:
    metadata = snapshot["metadata"]
    return {
        "apiVersion": "snapshot.storage.k8s.io/v1",
        "kind": "VolumeSnapshotContent",
        "metadata": {"name": f"snapcontent-{metadata['uid']}"},
        "spec": {
            "driver": CSI_DRIVER,
            "deletionPolicy": "Delete",
            "volumeSnapshotClassName": STORAGE_CLASS,
            "volumeSnapshotRef": {key: metadata[key] for key in ("namespace", "name", "uid")},
            "source": {"snapshotHandle": metadata["uid"]},
        },
    }
