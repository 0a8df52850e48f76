"""Hooks as Kasten runs them: an ActionSet for Kanister, of the blueprint in Kasten's namespace."""

from dataclasses import dataclass, field

from tests.cluster.node.addons import KASTEN_NAMESPACE
from tests.cluster.objects import RealObjects
from tests.cluster.resources import ACTION_SETS
from tests.lab.kasten import Artifacts, BoundHook, Hook, HookResult
from tests.lab.kasten.actions import Manifest

BUDGET_SECONDS = 20 * 60.0


@dataclass(frozen=True)
class KanisterResult(HookResult):
    """`kept` is what Kanister made of the outputs by the blueprint's outputArtifacts."""

    kept: Artifacts = field(default_factory=dict)

    @property
    def artifacts(self) -> Artifacts:
        return self.kept


@dataclass(frozen=True)
class Kanister:
    """Runs actions of one blueprint."""

    objects: RealObjects
    blueprint: str = "edb-hooks"

    def action_hook(self, action: str) -> Hook:
        """As a policy or a restore names it: called for a namespace, without artifacts."""

        def run(namespace: str) -> HookResult:
            target = {"apiVersion": "v1", "kind": "Namespace", "name": namespace, "namespace": namespace}
            return self._run(action, target, {})

        return run

    def bound_hook(self, action: str) -> BoundHook:
        """As a BlueprintBinding makes it: called for a Cluster, with the artifacts of its backup."""

        def run(cluster: Manifest, artifacts: Artifacts) -> HookResult:
            return self._run(action, _bound(cluster), artifacts)

        return run

    def begin(self, action: str, cluster: Manifest) -> str:
        """As a bound hook, without waiting for its end; name of the ActionSet."""
        return self._begin(action, _bound(cluster), {})

    def _begin(self, action: str, target: Manifest, artifacts: Artifacts) -> str:
        spec: Manifest = {"name": action, "blueprint": self.blueprint, "object": target}
        if artifacts:
            spec["artifacts"] = {"fence": {"keyValue": dict(artifacts)}}
        created = self.objects.create(
            ACTION_SETS,
            {
                "apiVersion": ACTION_SETS.api_version,
                "kind": ACTION_SETS.kind,
                "metadata": {"generateName": f"{action.lower()}-", "namespace": KASTEN_NAMESPACE},
                "spec": {"actions": [spec]},
            },
        )
        return str(created["metadata"]["name"])

    def _run(self, action: str, target: Manifest, artifacts: Artifacts) -> HookResult:
        name = self._begin(action, target, artifacts)
        ended = self.objects.await_object(ACTION_SETS, KASTEN_NAMESPACE, name, _ended, BUDGET_SECONDS)
        status = ended["status"]
        [done] = status["actions"]
        said = "\n".join(
            f"{key}: {value}" for phase in done["phases"] for key, value in _output(phase).items()
        )
        kept = ((done.get("artifacts") or {}).get("fence") or {}).get("keyValue") or {}
        failed = status["state"] != "complete"
        return KanisterResult(int(failed), f"{said}\n{status.get('error', {}).get('message', '')}", kept)


def _bound(cluster: Manifest) -> Manifest:
    """The Cluster as an ActionSet names it: its apiVersion is the version alone."""
    group, version = cluster["apiVersion"].split("/")
    metadata = cluster["metadata"]
    named = {key: metadata[key] for key in ("name", "namespace")}
    return {"apiVersion": version, "group": group, "resource": "clusters", **named}


def _ended(action_set: Manifest) -> bool:
    return (action_set.get("status") or {}).get("state") in {"complete", "failed"}


def _output(phase: Manifest) -> Manifest:
    return phase.get("output") or {}
