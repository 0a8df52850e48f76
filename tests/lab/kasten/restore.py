"""A restore: volumes and Secrets first, then the Cluster, as new objects."""

from collections.abc import Callable, Iterable, Iterator
from http import HTTPStatus

from tests.lab.apiserver import NAMESPACES, SECRETS, Resource, StatusError
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

Admit = Callable[[Manifest], Manifest | None]
"""Filters and transforms of a restore: the manifest to be created, None for one to be left out."""


class Restore:
    """One restore of a restore point. What is there already, a Cluster or volume excepted, stays as it is.

    `resources` are the kinds of the restore point's `others`.
    """

    def __init__(
        self,
        store: Objects,
        volumes: Volumes,
        source: RestorePoint,
        admit: Admit,
        resources: tuple[Resource, ...] = (),
    ) -> None:
        self._store = store
        self._volumes = volumes
        self._source = source
        self._admit = admit
        self._resources = {(each.api_version, each.kind): each for each in resources}
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
            self._create(
                NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
            )
            for secret in self._admitted(self._source.secrets, namespace):
                self._create(SECRETS, secret)
            for claim in self._admitted(self._source.claims, namespace):
                self._volumes.restore(claim, self._source.data[claim["metadata"]["name"]])
        with self._timeline.step("resources"):
            for other in self._admitted(self._source.others, namespace):
                self._create(self._resources[other["apiVersion"], other["kind"]], other)
            for cluster in self._admitted(self._source.clusters, namespace):
                self._store.create(dialect_of(cluster).clusters, cluster)

    def _admitted(self, captured: Iterable[Manifest], namespace: str) -> Iterator[Manifest]:
        for manifest in captured:
            if admitted := self._admit(manifest):
                yield _renewed(admitted, namespace)

    def _create(self, resource: Resource, manifest: Manifest) -> None:
        try:
            self._store.create(resource, manifest)
        except StatusError as refused:
            if refused.code != HTTPStatus.CONFLICT:
                raise


def without_annotations_of_volumes(manifest: Manifest) -> Manifest:
    """As Kasten before 5.5.5 restored."""
    if manifest["kind"] != "PersistentVolumeClaim":
        return manifest
    kept = {key: value for key, value in manifest["metadata"].items() if key != "annotations"}
    return manifest | {"metadata": kept}


def _renewed(manifest: Manifest, namespace: str) -> Manifest:
    """Manifest of a new object: what the user or the operator wrote, without what belonged to the old one."""
    kept = ("name", "labels", "annotations")
    metadata = {key: value for key, value in manifest["metadata"].items() if key in kept}
    rest = {key: value for key, value in manifest.items() if key not in ("metadata", "status")}
    return rest | {"metadata": metadata | {"namespace": namespace}}
