"""A restore: volumes and Secrets first, then the Cluster, as new objects."""

from tests.lab.apiserver import NAMESPACES, SECRETS
from tests.lab.kasten.actions import (
    Action,
    ActionFailed,
    BoundHook,
    Hook,
    Manifest,
    RestorePoint,
    State,
    Timeline,
    Volumes,
)
from tests.lab.operator.names import Objects, all_clusters, dialect_of


class Restore:
    """One restore of a restore point into a namespace that does not exist.

    `drop_pvc_annotations` loses the annotations of the volumes, as Kasten before 5.5.5 did.
    """

    def __init__(
        self, store: Objects, volumes: Volumes, source: RestorePoint, *, drop_pvc_annotations: bool
    ) -> None:
        self._store = store
        self._volumes = volumes
        self._source = source
        self._drop_pvc_annotations = drop_pvc_annotations
        self._timeline = Timeline()

    def run(self, namespace: str, post_hook: Hook | None, bound: BoundHook | None) -> Action:
        """Restore; the hooks run when everything is created, which is not yet ready: the bound one with each
        Cluster and the artifacts that its backup left.
        """
        state = State.COMPLETE
        try:
            self._run(namespace)
            for cluster in all_clusters(self._store, namespace):
                artifacts = self._source.artifacts.get(cluster["metadata"]["name"], {})
                self._timeline.bound_hook("restorePosthook", bound, cluster, artifacts)
            self._timeline.hook("postHook", post_hook, namespace)
        except ActionFailed:
            state = State.FAILED
        return Action(state, tuple(self._timeline.steps))

    def _run(self, namespace: str) -> None:
        with self._timeline.step("volumes"):
            self._store.create(
                NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
            )
            for secret in self._source.secrets:
                self._store.create(SECRETS, _renewed(secret, namespace))
            for claim in self._source.claims:
                self._restore_volume(claim, namespace)
        with self._timeline.step("resources"):
            for cluster in self._source.clusters:
                self._store.create(dialect_of(cluster).clusters, _renewed(cluster, namespace))

    def _restore_volume(self, claim: Manifest, namespace: str) -> None:
        manifest = _renewed(claim, namespace)
        if self._drop_pvc_annotations:
            manifest["metadata"].pop("annotations", None)
        self._volumes.restore(manifest, self._source.data[claim["metadata"]["name"]])


def _renewed(manifest: Manifest, namespace: str) -> Manifest:
    """Manifest of a new object: what the user or the operator wrote, without what belonged to the old one."""
    kept = ("name", "labels", "annotations")
    metadata = {key: value for key, value in manifest["metadata"].items() if key in kept}
    rest = {key: value for key, value in manifest.items() if key not in ("metadata", "status")}
    return rest | {"metadata": metadata | {"namespace": namespace}}
