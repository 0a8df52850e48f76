"""fence: stop the elected replica of each cluster, and prove that its copy will be cold and fresh.

All clusters are decided before any is touched; any failure takes everything of this call back.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from kanfunc.domain.errors import KanfuncError, Refused, StillStanding, Terminated
from kanfunc.domain.facts import Bound
from kanfunc.domain.preflight import Plan, plan_fence, require_replication
from kanfunc.domain.record import Changes, Record, State, Verdict, own_record_of, written
from kanfunc.domain.unexpected import contained, said
from kanfunc.domain.world import Cluster, ClusterRef
from kanfunc.operations.coldstop import StopLimits, stop_and_prove
from kanfunc.operations.release import release
from kanfunc.operations.seal import seal
from kanfunc.operations.takeover import inherit_proof, release_predecessor
from kanfunc.operations.together import together
from kanfunc.operations.waiting import edit
from kanfunc.ports import Ports


@dataclass(frozen=True)
class FenceLimits:
    """How long the fence may stand, how old an inherited proof may be; seconds for replay and streaming."""

    deadline: timedelta
    max_age: timedelta
    replay: float
    stream: float
    stop: StopLimits


def fence(refs: Sequence[ClusterRef], fence_id: str, ports: Ports, limits: FenceLimits) -> tuple[Record, ...]:
    """Fence one replica of each cluster; returns the sealed records.

    Raises Refused with nothing changed, another KanfuncError with everything taken back, or StillStanding
    when that failed, too.
    """
    plans = together(_decide, refs, ports)
    begun: list[ClusterRef] = []

    def begin(plan: Plan, ports: Ports) -> Record:
        begun.append(plan.ref)
        return _fence_one(plan, fence_id, ports, limits)

    try:
        return tuple(together(begin, plans, ports))
    except BaseException as failure:
        _roll_back(begun, fence_id, ports, failure)
        if isinstance(failure, KanfuncError):
            failure.leaving("everything: what was begun is taken back")
        raise


def _decide(ref: ClusterRef, ports: Ports) -> Plan:
    plan = plan_fence(ports.api.world(ref))
    if not (plan.standing and plan.stops_primary):  # a dead run may have left the primary stopped
        require_replication(plan, ports.shell.replication(ref, plan.primary.name))
    ports.journal.step("decided", cluster=str(ref), instance=plan.instance.name, primary=plan.primary.name)
    return plan


def _fence_one(plan: Plan, fence_id: str, ports: Ports, limits: FenceLimits) -> Record:
    if plan.standing:
        if proof := inherit_proof(plan, fence_id, ports, limits.max_age, limits.deadline):
            return seal(plan, fence_id, proof, ports)
        release_predecessor(plan, ports, limits.stream)
        plan = _decide(plan.ref, ports)
    placed = _place(plan, fence_id, ports, limits.deadline)
    bound = _bound(plan, fence_id, ports, limits.replay)
    proof = stop_and_prove(plan, placed, bound, ports, limits.stop)
    return seal(plan, fence_id, proof, ports)


def _place(plan: Plan, fence_id: str, ports: Ports, deadline: timedelta) -> Record:
    """Announce the fence on the Cluster. From here on there is something to take back."""
    placed: list[Record] = []

    def decide(cluster: Cluster) -> Changes:
        before = own_record_of(cluster)
        if before and before.id == fence_id:
            placed.append(before)
            return {}
        if before and before.live:
            raise Refused(
                f"another fence ({before.id}, {before.state}) was placed on Cluster {plan.ref} meanwhile",
                expected="one backup of a cluster at a time",
                remedy="let that one end, then run again",
            )
        record = Record(
            id=fence_id,
            cluster_uid=plan.cluster.uid,
            instance=plan.instance.name,
            pod_uid=plan.instance.uid,
            volumes={volume.name: volume.uid for volume in plan.volumes},
            state=State.PLACING,
            started=cluster.read_at,
            deadline=cluster.read_at + deadline,
            late=before.pending(cluster.read_at) if before else (),
            before=before.last_proven if before else None,
        )
        placed.append(record)
        return written(record)

    edit(ports.api, plan.ref, decide, read=plan.cluster)
    ports.journal.step("placing", cluster=str(plan.ref), fence=fence_id, deadline=placed[-1].deadline)
    return placed[-1]


def _bound(plan: Plan, fence_id: str, ports: Ports, seconds: float) -> Bound:
    """Commit a transaction of our own, and wait until the elected instance has replayed it."""
    bound = ports.shell.emit_bound(plan.ref, plan.primary.name, fence_id)
    if plan.stops_primary:
        return bound
    start = ports.clock.monotonic()
    replay = ports.shell.await_replay(plan.ref, plan.instance.name, bound.flushed, seconds)
    if not replay.reached:
        raise Refused(
            f"{plan.instance.name} has replayed up to {replay.position}: "
            f"{bound.flushed - replay.position} bytes and {replay.behind_seconds:.0f} s behind the primary",
            expected=f"to reach {bound.flushed} within {seconds:g} s: the copy would be stale",
            remedy="see why replay is slow or paused on that replica (long queries, pg_wal_replay_pause)",
        )
    lag = round(ports.clock.monotonic() - start, 3)
    ports.journal.step("replayed", cluster=str(plan.ref), bound=bound.flushed, xid=bound.xid, seconds=lag)
    return replace(bound, replay_seconds=lag)


def _roll_back(begun: Sequence[ClusterRef], fence_id: str, ports: Ports, failure: BaseException) -> None:
    """Take back every cluster of this call; StillStanding when one could not be."""
    why = said(failure)
    ports.journal.warn("rolling back", reason=why)

    def take_back(ref: ClusterRef, ports: Ports) -> str:
        """What is left there, and why."""
        try:
            with contained(ref):
                cluster = release(ports, ports.api.world(ref), fence_id, Verdict.ROLLED_BACK)
                ports.api.announce(cluster, "FenceRolledBack", f"fence {fence_id}: {why}", warning=True)
        except Terminated:
            raise
        except KanfuncError as error:
            return f"{ref} ({error.found})"
        return ""

    try:
        left = [each for each in together(take_back, begun, ports) if each]
    except Terminated:  # it comes once, and releasing is repeatable
        left = [each for each in together(take_back, begun, ports) if each]
    if left:
        raise StillStanding(
            f"{why}; and the roll-back failed on {', '.join(left)}",
            expected="everything of this call to be taken back",
            left=f"what fence {fence_id} had placed there",
            remedy=f"kanfunc unfence --outcome failure --namespace {begun[0].namespace}",
        ) from failure
