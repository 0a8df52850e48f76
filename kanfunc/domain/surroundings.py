"""doctor: what must go on around a backup: time limits, rights, the watchdog, nobody else's backup."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from kanfunc.domain.blueprint import DEADLINE, Call
from kanfunc.domain.diagnosis import Diagnosis, Unread, bad, good, unchecked, warning
from kanfunc.domain.kasten import Policy
from kanfunc.domain.mark import read_mark
from kanfunc.domain.record import Record
from kanfunc.domain.schedule import ScheduledBackup, cron_minutes, meet, policy_minutes
from kanfunc.domain.world import Cluster

BUDGET_KEYS = ("K10TimeoutBlueprintResourceHooks", "K10TimeoutBlueprintHooks", "KanisterHookTimeout")
"""In Kasten's ConfigMap k10-config, newest first; minutes."""
BUDGET_MINUTES = 20


def examine_budget(config: Mapping[str, str] | Unread, calls: Sequence[Call]) -> Diagnosis:
    """Our own limits of one hook must fit into what Kasten gives it."""
    if isinstance(config, Unread):
        return unchecked("hook time-out", config)
    if not calls:
        return unchecked("hook time-out", Unread("no blueprint runs a command of ours"))
    key = next((key for key in BUDGET_KEYS if config.get(key)), "")
    text = re.fullmatch(r"([0-9]{1,9})m?", config.get(key, str(BUDGET_MINUTES)))
    if text is None:
        return unchecked("hook time-out", Unread(f"{key} is {config[key]!r}, which is no number of minutes"))
    budget = int(text[1]) * 60
    longest = max(calls, key=lambda call: call.seconds)
    told = f"Kasten gives {budget} s ({key or 'its default'}), {longest.verb} may take {longest.seconds} s"
    if longest.seconds <= budget:
        return good("hook time-out", told)
    return warning(
        "hook time-out",
        told,
        expected="our limits to fit: Kasten would end a hook before it can take back what it began",
        remedy="raise timeout.blueprintResourceHooks in Kasten, or lower timeouts.* of the chart",
    )


@dataclass(frozen=True)
class Watcher:
    """A Deployment of the watchdog."""

    place: str
    ready: int
    arguments: tuple[str, ...]

    def covers(self, cluster: Cluster) -> bool:
        """Whether this cluster is within its scope."""
        scopes = {"--namespace": cluster.ref.namespace, "--flavour": str(cluster.flavour.name)}
        for option, value in scopes.items():
            named = [each for each in self.arguments if each.startswith(f"{option}=")]
            if named and f"{option}={value}" not in named:
                return False
        return True


def examine_watchdog(watchers: Collection[Watcher] | Unread, cluster: Cluster) -> Diagnosis:
    """Without it nobody ends a fence whose hook was killed, and on CloudNativePG nobody elects."""
    if isinstance(watchers, Unread):
        return unchecked("watchdog", watchers)
    covering = [each for each in watchers if each.covers(cluster)]
    if alive := [each.place for each in covering if each.ready]:
        return good("watchdog", f"{', '.join(alive)} is ready")
    found = f"{covering[0].place} is not ready" if covering else "no watchdog is for this cluster"
    return warning(
        "watchdog",
        found,
        expected="one that runs: else a fence whose hook is killed stands until a person ends it",
        remedy=f"kubectl get pods -A -l app.kubernetes.io/component=watchdog ({len(watchers)} installed)",
    )


def examine_schedules(
    backups: Sequence[ScheduledBackup] | Unread, policies: Sequence[Policy]
) -> list[Diagnosis]:
    """While a Backup of the operator runs a fence is refused, and one that begins later breaks it."""
    if isinstance(backups, Unread):
        return [unchecked("scheduled backups", backups)]
    found = [
        check
        for backup in backups
        if not backup.suspended
        for policy in policies
        if (check := _meeting(backup, policy))
    ]
    return found or [good("scheduled backups", "none meets a policy")]


def _meeting(backup: ScheduledBackup, policy: Policy) -> Diagnosis | None:
    ours, theirs = policy_minutes(policy.spec), cron_minutes(backup.schedule)
    both = f"ScheduledBackup {backup.name} ({backup.schedule}) and policy {policy.metadata.name}"
    if ours is None or theirs is None:
        return unchecked("scheduled backups", Unread(f"whether {both} meet: a schedule that is not known"))
    at = meet(ours, theirs, DEADLINE // 60)
    if at is None:
        return None
    return warning(
        "scheduled backups",
        f"{both} meet at {at // 60:02}:{at % 60:02}",
        expected="an hour between them: while the operator's Backup runs no fence is placed",
        remedy="move one of them",
    )


Right = tuple[str, str, str]
"""API group, resource (with its subresource), verb."""


def rights_of_hooks(cluster: Cluster) -> tuple[Right, ...]:
    """What the hooks' account must be allowed in the cluster's namespace."""
    flavour, snapshots = cluster.flavour, "snapshot.storage.k8s.io"
    return (
        *((flavour.group, flavour.plural, verb) for verb in ("get", "list", "watch", "patch")),
        (flavour.group, flavour.backups, "list"),
        *(("", "pods", verb) for verb in ("list", "watch")),
        *(("", "pods/exec", verb) for verb in ("get", "create")),
        ("", "persistentvolumeclaims", "list"),
        ("", "events", "create"),
        *((snapshots, "volumesnapshots", verb) for verb in ("list", "watch")),
    )


def rights_of_classes() -> tuple[Right, ...]:
    """What it must be allowed in the whole cluster."""
    return (
        ("storage.k8s.io", "storageclasses", "list"),
        ("snapshot.storage.k8s.io", "volumesnapshotclasses", "list"),
    )


def examine_rights(account: str, denied: Sequence[Right] | Unread) -> Diagnosis:
    """`account` as Kubernetes names it."""
    if isinstance(denied, Unread):
        return unchecked("rights of the hooks", denied)
    if not denied:
        return good("rights of the hooks", f"{account} may do all that it must")
    return bad(
        "rights of the hooks",
        f"{account} may not: " + ", ".join(f"{verb} {resource}" for _, resource, verb in denied),
        expected="every right of chart/templates/rbac.yaml in this namespace",
        remedy="rbac.scope cluster, or this namespace in rbac.namespaces of the chart",
    )


def examine_marks(record: Record | None, marks: Mapping[str, str] | Unread) -> Diagnosis:
    """Marks (text by claim) belong to a fence that stands; an old one is recognised, and is litter."""
    if isinstance(marks, Unread):
        return unchecked("marks", marks)
    live = record.id if record and record.live else None
    found = {claim: read_mark(text) for claim, text in marks.items() if text}
    old = {claim: mark.id if mark else "unreadable" for claim, mark in found.items()}
    if all(identity == live for identity in old.values()):
        return good("marks", "none is left over")
    return warning(
        "marks",
        ", ".join(f"{claim}: {identity}" for claim, identity in sorted(old.items())),
        expected="no mark but while a fence stands",
        remedy="nothing: an old mark is known as old, and the next fence writes over it",
    )


def examine_snapshots(unseen: Sequence[str] | Unread) -> Diagnosis:
    """Where a driver has no VolumeSnapshotClass, the snapshots cannot be judged."""
    if isinstance(unseen, Unread):
        return unchecked("snapshots", unseen)
    if not unseen:
        return good("snapshots", "every volume's driver has a VolumeSnapshotClass")
    return warning(
        "snapshots",
        f"no VolumeSnapshotClass for {', '.join(unseen)}",
        expected="snapshots that can be seen: without them only the fence is proven, not what was copied",
        remedy="install a VolumeSnapshotClass for that driver",
    )
