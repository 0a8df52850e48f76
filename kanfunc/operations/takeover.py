"""A standing record of ours is that of a run that died: Kasten locks the namespace, so it does not run."""

from datetime import timedelta

from kanfunc.domain.codec import encode
from kanfunc.domain.errors import ExecFailed, NotFound, WaitTimeout
from kanfunc.domain.mark import read_mark
from kanfunc.domain.preflight import Plan
from kanfunc.domain.record import Changes, Proof, Record, State, Verdict, own_record_of, written
from kanfunc.domain.world import Cluster
from kanfunc.operations.recovery import await_back
from kanfunc.operations.release import release
from kanfunc.operations.waiting import edit
from kanfunc.ports import Ports


def inherit_proof(
    plan: Plan, fence_id: str, ports: Ports, max_age: timedelta, deadline: timedelta
) -> Proof | None:
    """Take over a sealed fence that still holds, under a new id; None when it cannot be.

    The proof stays what it is: it is as fresh as the run that made it.
    """
    old = plan.standing
    if old is None or old.proof is None or not _holds(plan, old, ports, max_age):
        return None
    proof = old.proof

    def decide(cluster: Cluster) -> Changes:
        now = own_record_of(cluster)
        if now is None or encode(now) != encode(old) or not cluster.fenced.names(old.instance):
            return {}
        return written(
            old.but(id=fence_id, state=State.FENCED, sealed=None, deadline=cluster.read_at + deadline)
        )

    taken = own_record_of(edit(ports.api, plan.ref, decide))
    ports.journal.step("taken over", cluster=str(plan.ref), predecessor=old.id, fence=fence_id)
    return proof if taken and taken.id == fence_id else None


def _holds(plan: Plan, old: Record, ports: Ports, max_age: timedelta) -> bool:
    """Sealed, young, of the elected instance, and cold ever since."""
    if old.state is not State.SEALED or old.proof is None or old.instance != plan.instance.name:
        return False
    if plan.cluster.read_at - old.proof.bound_at > max_age:
        return False
    if old.volumes != {volume.name: volume.uid for volume in plan.volumes}:
        return False
    try:
        seen = ports.shell.inspect(plan.ref, plan.instance, plan.volumes)
    except (ExecFailed, NotFound):
        return False
    marks = [read_mark(files.mark) for files in seen.files.values()]
    return (
        not seen.running
        and seen.digest == old.proof.digest
        and all(mark is not None and mark.id == old.id for mark in marks)
    )


def release_predecessor(plan: Plan, ports: Ports, seconds: float) -> None:
    """End what the dead run has left, and wait until its instance streams again."""
    old = plan.standing
    if old is None:
        return
    ports.journal.warn("releasing a dead run's fence", cluster=str(plan.ref), fence=old.id, state=old.state)
    verdict = Verdict.BROKEN if old.state is State.SEALED else Verdict.ROLLED_BACK
    release(ports, ports.api.world(plan.ref), old.id, verdict)
    if not await_back(plan.ref, plan.primary.name, plan.instance.name, ports, seconds):
        raise WaitTimeout(
            f"{plan.instance.name} is not back {seconds:g} s after the fence of a dead run was lifted",
            expected=f"{plan.instance.name} to stream again",
            left="nothing of ours stands any more",
            remedy="look into that pod's log; run again when it serves",
        )
