"""doctor: does each policy call us, and take exactly what was fenced? The ways in which a backup is green
and hot: nothing is bound, a blueprint is not ours, its actions have other names, filters leave a part out.
"""

from dataclasses import dataclass

from kanfunc.domain.blueprint import Blueprint, Call
from kanfunc.domain.diagnosis import Diagnosis, Unread, bad, good, unchecked, warning
from kanfunc.domain.fenceable import Chosen
from kanfunc.domain.kasten import REPLACING, RESERVED, ActionHooks, Binding, HookRef, Policy
from kanfunc.domain.selector import Item
from kanfunc.domain.world import Instance, Volume, World

FENCE, HELD, RELEASED = "fence", "unfence success", "unfence failure"
BLUEPRINT_KEY = "kanister.kasten.io/blueprint"


@dataclass(frozen=True)
class Kasten:
    """What Kasten has been told, read once; `namespace` is its own."""

    namespace: str
    policies: tuple[Policy, ...] | Unread
    bindings: tuple[Binding, ...] | Unread
    blueprints: tuple[Blueprint, ...] | Unread
    config: dict[str, str] | Unread

    def blueprint(self, name: str) -> Blueprint | None:
        """The Blueprint of that name; None where there is none."""
        found = () if isinstance(self.blueprints, Unread) else self.blueprints
        return next((each for each in found if each.metadata.name == name), None)


def examine_policies(
    world: World, chosen: Chosen, kasten: Kasten
) -> tuple[tuple[Policy, ...], list[Diagnosis]]:
    """The policies that back this cluster up, and what is wrong with each."""
    for read in (kasten.policies, kasten.blueprints, kasten.bindings):
        if isinstance(read, Unread):
            return (), [unchecked("policies", read, decides=True)]
    policies = () if isinstance(kasten.policies, Unread) else kasten.policies
    namespace = world.cluster.ref.namespace
    backing = [each for each in policies if each.backup]
    unknown = [each.metadata.name for each in backing if each.covers(namespace) is None]
    checks = [
        unchecked(
            "policies", Unread(f"whether {name} is for {namespace}: its selector asks for other labels")
        )
        for name in unknown
    ]
    found = tuple(each for each in backing if each.covers(namespace) and not each.spec.paused)
    if not found:
        return (), [*checks, _no_policy(namespace, kasten, undecided=bool(unknown))]
    for policy in found:
        checks += _Policy(world, chosen, kasten, policy).checks()
    return found, checks


def _no_policy(namespace: str, kasten: Kasten, *, undecided: bool) -> Diagnosis:
    if undecided:
        return unchecked("policies", Unread("none that is known to be for it"), decides=True)
    return bad(
        "policies",
        f"no policy in namespace {kasten.namespace} backs up namespace {namespace}, or it is paused",
        expected="a policy with a backup action that selects the namespace",
        remedy="create one (README, Policies), or name Kasten's namespace with --kasten-namespace",
    )


@dataclass(frozen=True)
class _Policy:
    """One policy, looked at for one cluster."""

    world: World
    chosen: Chosen
    kasten: Kasten
    policy: Policy

    def checks(self) -> list[Diagnosis]:
        """Who calls us, what is taken, what happens after a failure."""
        name = f"policy {self.policy.metadata.name}"
        return [
            self._calls(f"{name}: hooks"),
            self._takes(f"{name}: filters"),
            self._fails(f"{name}: failure"),
        ]

    @property
    def _hooks(self) -> ActionHooks:
        backup = self.policy.backup
        return (backup.hooks if backup else None) or ActionHooks()

    def _verbs(self, hook: HookRef | None) -> set[str]:
        blueprint = self.kasten.blueprint(hook.blueprint) if hook else None
        return self._run(blueprint, hook.action_name) if blueprint and hook else set()

    def _run(self, blueprint: Blueprint, action: str) -> set[str]:
        """What an action runs of ours, for this cluster."""
        return {call.verb for call in blueprint.calls(action) if call.concerns(self.world.cluster.ref)}

    def _calls(self, check: str) -> Diagnosis:
        before, after = self._verbs(self._hooks.pre_hook), self._verbs(self._hooks.on_success)
        bound = bound_to(self.world, self.kasten)
        if isinstance(bound, Unread):
            return unchecked(check, bound, decides=True)
        blueprint = self.kasten.blueprint(bound)
        if blueprint and (replaced := sorted(REPLACING & blueprint.actions.keys())):
            return _replaces(check, bound, replaced)
        if FENCE in before:
            return _after(check, "its own hooks", after, "onSuccess")
        if blueprint and FENCE in self._run(blueprint, "backupPrehook"):
            if owner := self.world.cluster.owner:
                return unchecked(check, _owned(owner), decides=True)
            after = self._run(blueprint, "backupPosthook")
            return _after(check, f"blueprint {bound}", after, "backupPosthook")
        return bad(
            check,
            "nobody calls `kanfunc fence`: " + self._why_not(bound, blueprint),
            expected="a BlueprintBinding for this Cluster whose blueprint runs it in backupPrehook, or a "
            "preHook of the policy that does",
            remedy="helm install the chart with hooks.mode as the policy needs it (README, Policies)",
        )

    def _why_not(self, bound: str, blueprint: Blueprint | None) -> str:
        hook, pod = self._hooks.pre_hook, self.chosen.instance
        if hook:
            known = self.kasten.blueprint(hook.blueprint)
            what = "does not run it" if known and hook.action_name in known.actions else "is not there"
            return f"action {hook.action_name} of blueprint {hook.blueprint}, the preHook, {what}"
        if bound and blueprint is None:
            return f"blueprint {bound} is not in namespace {self.kasten.namespace}"
        if blueprint:
            other = [action for action in blueprint.actions if FENCE in self._run(blueprint, action)]
            if other:
                return f"action {other[0]} of blueprint {bound} has no reserved name: Kasten ignores it"
            reserved = ", ".join(sorted(RESERVED & blueprint.actions.keys())) or "no reserved action"
            return f"the bound blueprint {bound} is not ours ({reserved})"
        if pod and pod.annotations.get(BLUEPRINT_KEY):
            return f"annotation {BLUEPRINT_KEY} on pod {pod.name} binds nothing; the Cluster must be bound"
        return "no BlueprintBinding is for this Cluster, and the policy has no preHook"

    def _takes(self, check: str) -> Diagnosis:
        if self.chosen.volumes is None or self.chosen.instance is None:
            return unchecked(check, Unread("nobody is elected, so nobody knows which volumes must be taken"))
        world, backup = self.world, self.policy.backup
        filters = backup.filters if backup else None
        wanted = {volume.name for volume in self.chosen.volumes}
        answers = {v.name: filters.take(_claim(world, v)) if filters else True for v in world.volumes}
        if unknown := sorted(name for name, answer in answers.items() if answer is None):
            why = Unread(f"whether the filters take {', '.join(unknown)}: an operator that is not known")
            return unchecked(check, why, decides=True)
        taken = {name for name, answer in answers.items() if answer}
        if taken != wanted:
            return bad(
                check,
                f"they take {', '.join(sorted(taken)) or 'no volume'} of this cluster",
                expected=f"exactly {', '.join(sorted(wanted))}: the volumes of {self.chosen.instance.name}",
                remedy="set Exclude Filters to the label of excluded volumes (README, Policies)",
            )
        left = [each.name for each in self._walked() if filters and filters.take(each) is False]
        if left and FENCE not in self._verbs(self._hooks.pre_hook):
            return bad(
                check,
                f"they leave out {', '.join(left)}",
                expected="the Cluster and its elected pod: without them Kasten does not call a bound hook",
                remedy="take that filter away, or name our actions in the policy's own hooks",
            )
        return good(check, f"exactly {', '.join(sorted(taken))}")

    def _walked(self) -> list[Item]:
        """From where Kasten finds its way to a bound hook."""
        pod = self.chosen.instance
        return [_cluster_item(self.world), *([_pod(self.world, pod)] if pod else [])]

    def _fails(self, check: str) -> Diagnosis:
        if RELEASED in self._verbs(self._hooks.on_failure):
            return good(check, "the fence is released at once")
        return warning(
            check,
            "no onFailure of this policy runs `kanfunc unfence --outcome failure`",
            expected="action backupFailed: otherwise a fence stands until its deadline",
            remedy="Advanced Settings, Actions, On Failure: the blueprint's action backupFailed",
        )


def bound_to(world: World, kasten: Kasten) -> str | Unread:
    """Name of the blueprint that Kasten uses for this Cluster: of the oldest binding, else its annotation."""
    item = _cluster_item(world)
    bindings = () if isinstance(kasten.bindings, Unread) else kasten.bindings
    for binding in sorted(bindings, key=lambda each: each.metadata.creation_timestamp):
        answer = binding.binds(item)
        if answer is None:
            return Unread(f"whether BlueprintBinding {binding.metadata.name} is for this Cluster")
        if answer:
            blueprint = binding.spec.blueprint_ref
            if blueprint.namespace not in {"", kasten.namespace}:
                return Unread(f"blueprint {blueprint.name} is in another namespace, {blueprint.namespace}")
            return blueprint.name
    return item.annotations.get(BLUEPRINT_KEY, "")


def our_calls(kasten: Kasten) -> list[Call]:
    """Every command of ours in any blueprint."""
    blueprints = () if isinstance(kasten.blueprints, Unread) else kasten.blueprints
    return [call for each in blueprints for action in each.actions for call in each.calls(action)]


def _after(check: str, who: str, after: set[str], where: str) -> Diagnosis:
    if HELD in after:
        return good(check, f"{who} run fence before the snapshots, and judge it after them")
    return bad(
        check,
        f"{who} run fence, but {where} does not run `kanfunc unfence --outcome success`",
        expected="the fence to be judged and released after the snapshots",
        remedy=f"wire {where} (README, Policies)",
    )


def _owned(owner: str) -> Unread:
    """Of several blueprints in one chain of owners Kasten 9 was observed to run only the topmost owner's."""
    return Unread(
        f"whether Kasten calls the hook of a Cluster that {owner} owns: where a blueprint is bound to the "
        "owner, that one alone runs. Hooks of the policy do not depend on it"
    )


def _replaces(check: str, blueprint: str, actions: list[str]) -> Diagnosis:
    return bad(
        check,
        f"blueprint {blueprint} defines {', '.join(actions)}",
        expected="none of these: Kasten runs them instead of its snapshots",
        remedy="take them out of the blueprint",
    )


def _cluster_item(world: World) -> Item:
    cluster = world.cluster
    ref, flavour = cluster.ref, cluster.flavour
    place = (flavour.group, flavour.plural, ref.namespace, ref.name)
    return Item(*place, cluster.labels, cluster.annotations)


def _claim(world: World, volume: Volume) -> Item:
    namespace = world.cluster.ref.namespace
    return Item("", "persistentvolumeclaims", namespace, volume.name, volume.labels, {})


def _pod(world: World, pod: Instance) -> Item:
    return Item("", "pods", world.cluster.ref.namespace, pod.name, pod.labels, pod.annotations)
