"""Kasten itself: starts actions, one at a time in each namespace, and keeps exports."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import count

from tests.lab.apiserver import PVCS, SECRETS, Store
from tests.lab.kasten.actions import Action, BoundHook, Hook, Manifest, NamespaceLocked, RestorePoint
from tests.lab.kasten.backup import Backup, Policy
from tests.lab.kasten.restore import Restore, without_annotations_of_volumes
from tests.lab.kasten.transforms import Transform, transformed
from tests.lab.kasten.volumes import LabVolumes
from tests.lab.operator.names import DIALECTS
from tests.lab.storage import Storage, copy
from tests.lab.workspace import Workspace

_RESOURCES = {
    (each.api_version, each.kind): each
    for each in (PVCS, SECRETS, *(dialect.clusters for dialect in DIALECTS))
}


class Kasten:
    """Runs policies and restores in the caller's thread."""

    def __init__(self, store: Store, storage: Storage, workspace: Workspace) -> None:
        self._store = store
        self._storage = storage
        self._exports = workspace.directory("exports")
        self._numbers = count(1)
        self._locked: set[str] = set()
        self._guard = threading.Lock()
        self._closing = threading.Event()

    def run(self, policy: Policy) -> Action:
        """Run the policy once; NamespaceLocked while another action is running there."""
        with self._lock(policy.namespace):
            return Backup(self._store, self._volumes(policy.cut_delay), policy).run()

    def export(self, restore_point: RestorePoint) -> RestorePoint:
        """Copy the data to where it survives the deletion of the namespace and of its snapshots."""
        target = self._exports / str(next(self._numbers))
        target.mkdir(mode=0o711)
        for name, source in restore_point.data.items():
            copy(source, target / name)
        return replace(restore_point, data={name: target / name for name in restore_point.data})

    def restore(
        self,
        source: RestorePoint,
        namespace: str,
        *,
        transforms: Sequence[Transform] = (),
        drop_pvc_annotations: bool = False,
        post_hook: Hook | None = None,
        restore_posthook: BoundHook | None = None,
    ) -> Action:
        """Restore into a new namespace; NamespaceLocked while another action is running there."""
        with self._lock(namespace):
            volumes = self._volumes()

            def admit(manifest: Manifest) -> Manifest:
                kept = without_annotations_of_volumes(manifest) if drop_pvc_annotations else manifest
                return transformed(transforms, _RESOURCES[kept["apiVersion"], kept["kind"]], kept)

            restore = Restore(self._store, volumes, source, admit)
            return restore.run(namespace, post_hook, restore_posthook)

    def close(self) -> None:
        """End waits of actions that are running."""
        self._closing.set()

    def _volumes(self, cut_delay: float = 0.0) -> LabVolumes:
        return LabVolumes(self._store, self._storage, self._closing, cut_delay)

    @contextmanager
    def _lock(self, namespace: str) -> Iterator[None]:
        with self._guard:
            if namespace in self._locked:
                raise NamespaceLocked(namespace)
            self._locked.add(namespace)
        try:
            yield
        finally:
            with self._guard:
                self._locked.remove(namespace)
