"""doctor: would a fence be placed now? The decisions are the fence's own, not only the first."""

from dataclasses import dataclass, replace

from kanfunc.domain.adapter import Adapter, adapter_of
from kanfunc.domain.diagnosis import Diagnosis, Grade, Unread, decided, unchecked, warning
from kanfunc.domain.election import elected_instance, elected_volumes
from kanfunc.domain.hooks import hooks_of
from kanfunc.domain.preflight import (
    Plan,
    plan_fence,
    require_free_fence_list,
    require_no_backup,
    require_replication,
    required_synchronous,
    settled_primary,
)
from kanfunc.domain.record import Record, record_of
from kanfunc.domain.replication import Replication
from kanfunc.domain.world import Cluster, Instance, Volume, World


@dataclass(frozen=True)
class Chosen:
    """Who and what would be backed up; None where that is not decided. record: ours, as far as it is read."""

    instance: Instance | None = None
    volumes: tuple[Volume, ...] | None = None
    record: Record | None = None


def examine_fence(world: World, replication: Replication | Unread) -> tuple[Chosen, list[Diagnosis]]:
    """Everything for which `fence` would be refused."""
    cluster = world.cluster
    record, recorded = decided("record", lambda: record_of(cluster), _told)
    own = record if record and record.cluster_uid == cluster.uid else None
    chosen, checks = _elected(world)
    checks += [
        decided("fence list", lambda: require_free_fence_list(cluster, own), lambda _: "no fence of others")[
            1
        ],
        decided("operator's backup", lambda: require_no_backup(world), lambda _: "none runs")[1],
        decided("primary", lambda: settled_primary(world), lambda pod: pod.name)[1],
        _left_over(cluster, record) if record else recorded,
    ]
    plan, whole = decided("fence", lambda: plan_fence(world), lambda plan: plan.instance.name)
    if plan is None and all(check.grade is not Grade.BAD for check in checks):
        checks.append(whole)  # the fence knows a reason that no check above does
    return replace(chosen, record=own), [*checks, _replicas(plan, replication)]


def _elected(world: World) -> tuple[Chosen, list[Diagnosis]]:
    cluster = world.cluster
    addons = cluster.annotations.get(cluster.flavour.adapter_key("addons"), "")
    adapter, asked = decided("add-on", lambda: adapter_of(cluster), lambda _: addons)
    if adapter is None:
        return Chosen(), [asked]
    instance, election = decided("election", lambda: elected_instance(world, adapter), lambda pod: pod.name)
    if instance is None:
        return Chosen(), [asked, election]
    volumes, labelled = decided(
        "labels of volumes",
        lambda: elected_volumes(world, instance, adapter),
        lambda found: f"of {instance.name}: {', '.join(volume.name for volume in found)}",
    )
    checks = [asked, election, labelled, *_commands(cluster, instance, adapter)]
    return Chosen(instance, volumes), checks


def _commands(cluster: Cluster, instance: Instance, adapter: Adapter) -> list[Diagnosis]:
    if not cluster.flavour.has_adapter:
        return []
    read = decided(
        "operator's commands", lambda: hooks_of(instance, adapter), lambda hooks: " ".join(hooks.pre_backup)
    )
    return [read[1]]


def _told(record: Record | None) -> str:
    if record is None:
        return "no fence so far"
    return f"fence {record.id} of {record.instance} {record.verdict or record.state}"


def _left_over(cluster: Cluster, record: Record) -> Diagnosis:
    """What a backup that is over has left: the next one copes with it, but somebody should know."""
    told = _told(record)
    where = f"-n {cluster.ref.namespace} --cluster {cluster.ref.name}"
    if record.cluster_uid != cluster.uid:
        return warning(
            "record",
            f"{told}, of another incarnation: this cluster was restored, and the restore never verified",
            expected="a restore that was verified",
            remedy=f"kanfunc verify-restore {where}",
        )
    if record.live:
        late = cluster.read_at >= record.deadline
        return warning(
            "record",
            f"{told} stands since {record.started:%Y-%m-%d %H:%M:%SZ}"
            + (f", past its deadline {record.deadline:%H:%M:%SZ}" if late else ""),
            expected="no fence but while a backup runs",
            remedy=f"if none runs: kanfunc unfence --outcome failure {where}"
            + ("; see why the watchdog has not ended it" if late else ""),
        )
    return Diagnosis(check="record", grade=Grade.GOOD, found=told)


def _replicas(plan: Plan | None, replication: Replication | Unread) -> Diagnosis:
    if isinstance(replication, Unread):
        return unchecked("replicas", replication, decides=True)
    if plan is None:
        return unchecked("replicas", Unread("without a plan nobody knows which replicas must stream"))
    needed = required_synchronous(plan.cluster)
    streaming = ", ".join(sorted(replication.streaming)) or "none"
    synchronous = f"; {needed} synchronous required" if needed else ""
    return decided(
        "replicas",
        lambda: require_replication(plan, replication),
        lambda _: f"streaming from {plan.primary.name}: {streaming}{synchronous}",
    )[1]
