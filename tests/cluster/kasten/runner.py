"""Stand-in for Kasten over its own kinds of objects: runs policies and restores when it is called.

The order of steps is that of the lab's stand-in; hooks are ActionSets for Kanister's controller, snapshots
are CSI's. Not imitated: Kasten's controllers that would react to the objects by themselves, schedules,
retention, profiles (an export is a snapshot that outlives its namespace), retries, waiting for restored
workloads, and Clusters that another object owns.
"""

from dataclasses import dataclass, field, replace
from typing import Any
from uuid import uuid4

from tests.cluster.kasten.hooks import Kanister
from tests.cluster.kasten.rules import applications, bound, passes
from tests.cluster.kasten.volumes import CsiVolumes
from tests.cluster.node.addons import KASTEN_NAMESPACE
from tests.cluster.objects import RealObjects
from tests.cluster.resources import (
    BINDINGS,
    BLUEPRINTS,
    CONTENTS,
    DEPLOYMENTS,
    POLICIES,
    RESTORE_ACTIONS,
    RESTORE_POINTS,
    RUN_ACTIONS,
)
from tests.lab.apiserver import CONFIGMAPS, LEASES, PODS, PVCS, SECRETS, Resource
from tests.lab.kasten import Action, Artifacts, Blueprint, BoundHook, Hook, HookResult, Policy, RestorePoint
from tests.lab.kasten.backup import Backup
from tests.lab.kasten.restore import Restore
from tests.lab.kasten.transforms import transformed
from tests.lab.operator.names import DIALECTS, Manifest

FURTHER = (CONFIGMAPS, DEPLOYMENTS, PODS, LEASES)
_RESOURCES = {
    (each.api_version, each.kind): each
    for each in (PVCS, SECRETS, *FURTHER, *(dialect.clusters for dialect in DIALECTS))
}


@dataclass(frozen=True)
class Kasten:
    """`exports` are what restore points hold, by the name of their RestorePointContent."""

    objects: RealObjects
    exports: dict[str, RestorePoint] = field(default_factory=dict)

    def run(self, policy: str) -> Manifest:
        """A RunAction of this policy, as it ended; `status.restorePoints` names what a complete one made."""
        manifest = self.objects.get(POLICIES, KASTEN_NAMESPACE, policy)
        action = self.objects.create(RUN_ACTIONS, _run_action(policy))
        parameters = _parameters(manifest, "backup")
        made: list[Manifest] = []
        errors: list[str] = []
        for namespace in applications(manifest):
            done = Backup(self.objects, CsiVolumes(self.objects), self._policy(namespace, parameters)).run()
            errors += [done.error] if done.error else []
            if done.restore_point:
                made.append(self._keep(done.restore_point, parameters.get("filters") or {}))
        return self._ended(RUN_ACTIONS, action, errors, restorePoints=made)

    def restore(self, manifest: Manifest) -> Manifest:
        """This RestoreAction, as it ended."""
        action = self.objects.create(RESTORE_ACTIONS, manifest)
        spec = action["spec"]
        subject = spec["subject"]
        point = self.objects.get(RESTORE_POINTS, subject["namespace"], subject["name"])
        source = self.exports[point["spec"]["restorePointContentRef"]["name"]]
        restore = Restore(self.objects, CsiVolumes(self.objects), source, _admission(spec), FURTHER)
        hook = (spec.get("hooks") or {}).get("onSuccess")
        done: Action = restore.run(
            spec["targetNamespace"], self._action_hook(hook), self._bound_hook("restorePosthook")
        )
        return self._ended(RESTORE_ACTIONS, action, [done.error] if done.error else [])

    def _policy(self, namespace: str, parameters: Manifest) -> Policy:
        hooks, filters = parameters.get("hooks") or {}, parameters.get("filters") or {}
        return Policy(
            namespace,
            pre_hook=self._action_hook(hooks.get("preHook")),
            on_success=self._action_hook(hooks.get("onSuccess")),
            on_failure=self._action_hook(hooks.get("onFailure")),
            exclude_labels={},
            choose=lambda claims: [claim for claim in claims if passes(filters, PVCS, claim)],
            blueprint=Blueprint(self._bound_hook("backupPrehook"), self._bound_hook("backupPosthook")),
            also=FURTHER,
        )

    def _action_hook(self, hook: Manifest | None) -> Hook | None:
        return Kanister(self.objects, hook["blueprint"]).action_hook(hook["actionName"]) if hook else None

    def _bound_hook(self, action: str) -> BoundHook:
        """As the bindings have it; without one that binds, or without that action, nothing is run."""

        def run(cluster: Manifest, artifacts: Artifacts) -> HookResult:
            bindings = self.objects.list(BINDINGS, KASTEN_NAMESPACE)
            binding = bound(bindings, _resource(cluster), cluster)
            if binding is None:
                return HookResult(0)
            blueprint = binding["spec"]["blueprintRef"]["name"]
            if action not in self.objects.get(BLUEPRINTS, KASTEN_NAMESPACE, blueprint)["actions"]:
                return HookResult(0)
            return Kanister(self.objects, blueprint).bound_hook(action)(cluster, artifacts)

        return run

    def _keep(self, point: RestorePoint, filters: Manifest) -> Manifest:
        """Export it, and make the objects that stand for it."""
        name = f"{point.namespace}-{uuid4().hex[:8]}"
        others = tuple(each for each in point.others if passes(filters, _resource(each), each))
        self.exports[name] = replace(point, others=others)
        self.objects.create(CONTENTS, _manifest(CONTENTS, {"name": name}))
        return self.bind(name, point.namespace)

    def bind(self, content: str, namespace: str) -> Manifest:
        """A RestorePoint of that content, as a user makes one whose namespace was lost; its reference."""
        reference = {"restorePointContentRef": {"name": content}}
        metadata = {"name": content, "namespace": namespace}
        self.objects.create(RESTORE_POINTS, _manifest(RESTORE_POINTS, metadata, reference))
        return metadata

    def _ended(self, resource: Resource, action: Manifest, errors: list[str], **status: object) -> Manifest:
        metadata = action["metadata"]
        state = (
            {"state": "Failed", "error": {"message": "; ".join(errors)}} if errors else {"state": "Complete"}
        )
        change = {"status": state | status}
        return self.objects.patch(
            resource, metadata["namespace"], metadata["name"], change, subresource="status"
        )


def _admission(spec: Manifest) -> Any:
    def admit(manifest: Manifest) -> Manifest | None:
        resource = _resource(manifest)
        if not passes(spec.get("filters") or {}, resource, manifest):
            return None
        return transformed(spec.get("transforms") or [], resource, manifest)

    return admit


def _resource(manifest: Manifest) -> Resource:
    return _RESOURCES[manifest["apiVersion"], manifest["kind"]]


def _parameters(policy: Manifest, action: str) -> Manifest:
    [found] = [each for each in policy["spec"]["actions"] if each["action"] == action]
    parameters: Manifest = found[f"{action}Parameters"]
    return parameters


def _run_action(policy: str) -> Manifest:
    subject = {"kind": POLICIES.kind, "name": policy, "namespace": KASTEN_NAMESPACE}
    metadata = {"generateName": "run-", "namespace": KASTEN_NAMESPACE}
    return _manifest(RUN_ACTIONS, metadata, {"subject": subject})


def _manifest(resource: Resource, metadata: Manifest, spec: Manifest | None = None) -> Manifest:
    named = {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": metadata}
    return named if spec is None else named | {"spec": spec}
