"""unfence: judge what was snapshotted while the fence stood, release it, and see the instance come back."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum

from kanfunc.domain.adapter import adapter_of
from kanfunc.domain.errors import (
    KanfuncError,
    PlatformFailed,
    Refused,
    StillStanding,
    Terminated,
    Unproven,
    WaitTimeout,
    worst,
)
from kanfunc.domain.hooks import Argv, hooks_of
from kanfunc.domain.record import Record, State, Verdict, own_record_of
from kanfunc.domain.snapshots import unseen
from kanfunc.domain.standing import OnPrimaryLost, held, primary_lost
from kanfunc.domain.unexpected import contained
from kanfunc.domain.world import Cluster, ClusterRef, World
from kanfunc.operations.judging import judge_fence
from kanfunc.operations.recovery import await_back, await_primary
from kanfunc.operations.release import release
from kanfunc.operations.together import together
from kanfunc.ports import Ports

_FAILOVER_SECONDS = 30.0
"""The operator was seen to promote within a few."""


class Outcome(StrEnum):
    """What Kasten made of the backup."""

    SUCCESS = "success"
    FAILURE = "failure"


class Wait(StrEnum):
    """How much of the instance's return to wait for."""

    RELEASED = "released"
    STREAMING = "streaming"
    CAUGHT_UP = "caught-up"


@dataclass(frozen=True)
class UnfenceLimits:
    """Seconds: for snapshots to be cut, for the operator's command, for the instance to stream.

    repeat_within: how long a verdict is repeated where snapshots cannot be seen (Kasten's hook budget).
    on_primary_lost: what becomes of the fence where nobody leads.
    """

    snapshots: float
    hook: float
    stream: float
    wait: Wait
    repeat_within: timedelta
    on_primary_lost: OnPrimaryLost


def unfence(refs: Sequence[ClusterRef], outcome: Outcome, ports: Ports, limits: UnfenceLimits) -> None:
    """Every cluster is released, whatever befalls the others; then the worst failure is raised."""
    failures: dict[ClusterRef, KanfuncError | None] = {}

    def attempt(ref: ClusterRef, ports: Ports) -> None:
        failures[ref] = _attempt(ref, outcome, ports, limits)

    try:
        together(attempt, refs, ports)
    except Terminated as end:
        # nothing is released unjudged: the next run ends in the same place with the same verdict
        for ref in (ref for ref in refs if ref not in failures):
            failures[ref] = _with_what_stands(ref, end, ports)
            ports.journal.warn("interrupted", cluster=str(ref), reason=str(failures[ref]))
    if found := [failure for ref in refs if (failure := failures[ref])]:
        raise worst(found)


def _attempt(ref: ClusterRef, outcome: Outcome, ports: Ports, limits: UnfenceLimits) -> KanfuncError | None:
    try:
        with contained(ref):
            _unfence_one(ref, outcome, ports, limits)
    except Terminated:
        raise
    except KanfuncError as failure:
        ports.journal.warn("not proven", cluster=str(ref), reason=str(failure))
        return _with_what_stands(ref, failure, ports)
    return None


def _unfence_one(ref: ClusterRef, outcome: Outcome, ports: Ports, limits: UnfenceLimits) -> None:
    cluster = ports.api.cluster(ref)
    record = own_record_of(cluster)
    if record is None:
        if outcome is Outcome.SUCCESS:
            raise _not_fenced(cluster, "it carries no record of a fence", ports)
        ports.journal.step("nothing to release", cluster=str(ref))
        return
    if outcome is Outcome.SUCCESS and record.state is State.SEALED:
        cluster = judge_fence(cluster, record.id, ports, limits.snapshots)
    world = ports.api.world(ref, cluster)
    if limits.on_primary_lost is OnPrimaryLost.HOLD and primary_lost(world, record):
        world = _led(ref, record, ports, limits)
    returned = _await_return(_released(world, record, ports, limits), record, ports, limits)
    if outcome is Outcome.SUCCESS:
        _require_held(ref, record.id, ports, limits)
    if not returned:
        raise PlatformFailed(
            f"{record.instance} does not stream {limits.stream:g} s after its fence was lifted",
            expected=f"{record.instance} in pg_stat_replication with state streaming",
            left="no fence of ours" + (", and the backup is proven" if outcome is Outcome.SUCCESS else ""),
            remedy=f"kubectl logs -n {ref.namespace} {record.instance} -c postgres",
        )


def _led(ref: ClusterRef, record: Record, ports: Ports, limits: UnfenceLimits) -> World:
    """The world after a fail-over, which has its time to end; StillStanding where nobody leads even then."""
    ports.journal.warn("nobody leads", cluster=str(ref), instance=record.instance)
    try:
        await_primary(ref, ports, min(limits.stream, _FAILOVER_SECONDS))
    except WaitTimeout as lost:
        raise held(ref, record, lost.found) from lost
    return ports.api.world(ref)


def _released(world: World, record: Record, ports: Ports, limits: UnfenceLimits) -> World:
    command = _post_backup_command(world, record, ports)
    cluster = release(
        ports,
        world,
        record.id,
        Verdict.ROLLED_BACK,
        command=command,
        seconds=limits.hook,
        on_primary_lost=limits.on_primary_lost,
    )
    return replace(world, cluster=cluster)


def _post_backup_command(world: World, record: Record, ports: Ports) -> Argv | None:
    """The operator's command for lifting the fence, while there is one to lift."""
    cluster, instance = world.cluster, world.instance(record.instance)
    if instance is None or not cluster.flavour.has_adapter or not record.owned_entries(cluster):
        return None
    try:
        return hooks_of(instance, adapter_of(cluster)).post_backup
    except Refused as refused:
        ports.journal.warn("operator's command unknown", cluster=str(cluster.ref), reason=refused.found)
        return None


def _await_return(released: World, record: Record, ports: Ports, limits: UnfenceLimits) -> bool:
    if limits.wait is Wait.RELEASED:
        return True
    ref, primary = released.cluster.ref, released.primary
    if primary is None:
        raise PlatformFailed(
            f"Cluster {ref} has no settled primary: {record.instance} cannot be seen to stream",
            expected="a primary to stream from",
            left="no fence of ours",
            remedy=f"a failover may be going on: kanfunc status -n {ref.namespace}",
        )
    returned = await_back(
        ref, primary.name, record.instance, ports, limits.stream, caught_up=limits.wait is Wait.CAUGHT_UP
    )
    if returned:
        ports.journal.step(str(limits.wait), cluster=str(ref), instance=record.instance)
    return returned


def _require_held(ref: ClusterRef, fence_id: str, ports: Ports, limits: UnfenceLimits) -> None:
    """The verdict, given now or by a run before, covers every snapshot that there is by now."""
    cluster = ports.api.cluster(ref)
    if why := _not_held(cluster, fence_id, ports, limits):
        raise _not_fenced(cluster, why, ports)
    ports.api.announce(cluster, "BackupProven", f"fence {fence_id} held until all snapshots were cut")
    ports.journal.step("held", cluster=str(ref), fence=fence_id)


def _not_held(cluster: Cluster, fence_id: str, ports: Ports, limits: UnfenceLimits) -> str:
    """Why this fence proves nothing of what is snapshotted by now; empty when it does."""
    record, ref = own_record_of(cluster), cluster.ref
    if record is None or record.id != fence_id:
        return f"the record of fence {fence_id} was replaced while we worked"
    if record.verdict is not Verdict.HELD or record.judged is None:
        return (
            f"fence {record.id} is {record.verdict}: {record.reason or 'it was released without a judgement'}"
        )
    if record.judged_snapshots is None:
        over = cluster.read_at - record.judged > limits.repeat_within
        return f"fence {record.id} ended at {record.judged:%Y-%m-%d %H:%M:%SZ}" if over else ""
    claims = [volume.name for volume in ports.api.volumes(ref)]
    later = unseen(record, ports.api.snapshots(ref.namespace), claims)
    return f"snapshots were taken after fence {record.id} ended: {', '.join(later)}" if later else ""


def _not_fenced(cluster: Cluster, why: str, ports: Ports) -> Unproven:
    ports.api.announce(cluster, "BackupNotProven", why, warning=True)
    return Unproven(
        f"what was just backed up of Cluster {cluster.ref} was not fenced: {why}",
        expected="a fence that held from its seal until all snapshots were cut",
        remedy="treat this restore point as a hot copy; see that `kanfunc fence` runs before the snapshots",
    )


def _with_what_stands(ref: ClusterRef, failure: KanfuncError, ports: Ports) -> KanfuncError:
    """The failure itself, or StillStanding where a fence of ours was not released."""
    if isinstance(failure, StillStanding):
        return failure
    try:
        with contained(ref):
            record = own_record_of(ports.api.cluster(ref))
    except Refused as unreadable:
        return unreadable
    except KanfuncError as error:
        left = f"perhaps a fence on Cluster {ref}: it cannot be read ({error.found})"
    else:
        if record is None or not record.live:
            return failure.leaving("no fence of ours")
        left = f"fence {record.id} on {record.instance} ({record.state})"
    return StillStanding(
        failure.found,
        expected=failure.expected,
        left=left,
        remedy=f"kanfunc unfence --outcome failure --namespace {ref.namespace} --cluster {ref.name}",
    )
