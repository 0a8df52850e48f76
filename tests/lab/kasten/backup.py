"""A run of a backup policy: hooks, discovery, manifests and snapshots in Kasten's order."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from tests.lab.apiserver import PVCS, SECRETS, Resource
from tests.lab.kasten.actions import (
    Action,
    ActionFailed,
    Artifacts,
    Blueprint,
    Data,
    Hook,
    Manifest,
    RestorePoint,
    State,
    Timeline,
    Volumes,
)
from tests.lab.operator.decisions import labels
from tests.lab.operator.decorations import EXCLUDED
from tests.lab.operator.names import Objects, all_clusters, dialect_of


@dataclass(frozen=True)
class Policy:
    """A backup policy of one namespace.

    `retries` are further attempts after the first one. `cut_delay` is how many seconds each snapshot waits
    before it is cut. `choose` gets the claims that were discovered and returns those to be snapshotted.
    `blueprint` is bound to the Clusters: its hooks run after the discovery, around each one's snapshots.
    `also` are further kinds of objects to be captured.
    """

    namespace: str
    pre_hook: Hook | None = None
    on_success: Hook | None = None
    on_failure: Hook | None = None
    exclude_labels: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({EXCLUDED: "true"}))
    retries: int = 0
    cut_delay: float = 0.0
    choose: Callable[[list[Manifest]], list[Manifest]] = list
    blueprint: Blueprint = Blueprint()  # noqa: RUF009 - immutable
    also: tuple[Resource, ...] = ()


class Backup:
    """One run of a policy, over the objects of a simulated API server or of a real one."""

    def __init__(self, store: Objects, volumes: Volumes, policy: Policy) -> None:
        self._store = store
        self._volumes = volumes
        self._policy = policy
        self._timeline = Timeline()

    def run(self) -> Action:
        """Attempt until one succeeds; then exactly one of onSuccess and onFailure is run."""
        for _ in range(self._policy.retries + 1):
            try:
                restore_point = self._attempt()
            except ActionFailed:
                continue
            return self._finish("onSuccess", self._policy.on_success, restore_point)
        return self._finish("onFailure", self._policy.on_failure, None)

    def _finish(self, name: str, hook: Hook | None, restore_point: RestorePoint | None) -> Action:
        try:
            self._timeline.hook(name, hook, self._policy.namespace)
        except ActionFailed:
            restore_point = None
        state = State.COMPLETE if restore_point else State.FAILED
        return Action(state, tuple(self._timeline.steps), restore_point)

    def _attempt(self) -> RestorePoint:
        namespace = self._policy.namespace
        self._timeline.hook("preHook", self._policy.pre_hook, namespace)
        with self._timeline.step("discovery"):
            claims = self._discover()
            clusters = [each for each in all_clusters(self._store, namespace) if not _is_owned(each)]
            secrets = self._store.list(SECRETS, namespace)
            others = [each for kind in self._policy.also for each in self._store.list(kind, namespace)]
        artifacts: dict[str, Artifacts] = {}
        data: dict[str, Data] = {}
        for cluster in clusters:
            name, key = cluster["metadata"]["name"], dialect_of(cluster).cluster
            own = [claim for claim in claims if labels(claim).get(key) == name]
            artifacts[name], taken = self._back_up(cluster, own)
            data |= taken
        if rest := [claim for claim in claims if claim["metadata"]["name"] not in data]:
            data |= self._snapshots(rest)
        captured = (tuple(clusters), tuple(secrets), tuple(claims))
        return RestorePoint(namespace, *captured, data, artifacts, tuple(others))

    def _back_up(self, cluster: Manifest, claims: list[Manifest]) -> tuple[Artifacts, dict[str, Data]]:
        """One Cluster: prehook, snapshots of its claims, posthook."""
        blueprint, timeline = self._policy.blueprint, self._timeline
        artifacts = timeline.bound_hook("backupPrehook", blueprint.backup_prehook, cluster, {})
        try:
            snapshots = self._snapshots(claims)
        except ActionFailed:
            if blueprint.posthook_after_failure:
                timeline.bound_hook("backupPosthook", blueprint.backup_posthook, cluster, artifacts)
            raise
        timeline.bound_hook("backupPosthook", blueprint.backup_posthook, cluster, artifacts)
        return artifacts, snapshots

    def _snapshots(self, claims: list[Manifest]) -> dict[str, Data]:
        with self._timeline.step("snapshots"):
            return {claim["metadata"]["name"]: self._volumes.snapshot(claim) for claim in claims}

    def _discover(self) -> list[Manifest]:
        excluded = self._policy.exclude_labels.items()
        claims = self._store.list(PVCS, self._policy.namespace)
        return self._policy.choose(
            [claim for claim in claims if not excluded & claim["metadata"].get("labels", {}).items()]
        )


def _is_owned(cluster: Manifest) -> bool:
    """The blueprint of the topmost owner runs, and what it owns comes back with it."""
    return bool(cluster["metadata"].get("ownerReferences"))
