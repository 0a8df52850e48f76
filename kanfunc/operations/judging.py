"""Did the fence hold from its seal until all snapshots were cut?

The order matters: snapshots first, then the exec, then the patch.
"""

from kanfunc.domain.errors import NotFound, WaitTimeout
from kanfunc.domain.mark import read_mark
from kanfunc.domain.record import Changes, Record, State, Verdict, own_record_of, written
from kanfunc.domain.snapshots import Judgement, judge
from kanfunc.domain.world import Cluster, ClusterRef, Instance
from kanfunc.operations.waiting import edit, wait_until
from kanfunc.ports import Ports


def judge_fence(sealed: Cluster, fence_id: str, ports: Ports, seconds: float) -> Cluster:
    """Write the verdict on a sealed fence into its record, with the state `ending`; the Cluster with it.

    sealed: as just read. Raises only where the answer cannot be had for now (API or exec failed): the fence
    then stays sealed.
    """
    ref = sealed.ref

    def decide(cluster: Cluster) -> Changes:
        record = own_record_of(cluster)
        if record is None or record.id != fence_id or record.state is not State.SEALED:
            return {}
        judgement = _judge_snapshots(ref, record, ports, seconds)
        wrong = judgement.wrong if judgement else ""
        wrong = wrong or _lifted(cluster, record) or _disturbed(record, ref, ports, seconds)
        ports.journal.step("judged", cluster=str(ref), fence=fence_id, reason=wrong or "held")
        return written(
            record.but(
                state=State.ENDING,
                verdict=Verdict.BROKEN if wrong else Verdict.HELD,
                reason=wrong or None,
                judged=cluster.read_at,
                judged_snapshots=judgement.judged if judgement else None,
            )
        )

    return edit(ports.api, ref, decide, read=sealed)


def _judge_snapshots(ref: ClusterRef, record: Record, ports: Ports, seconds: float) -> Judgement | None:
    """Wait until every snapshot is cut; None where snapshots cannot be seen."""
    volumes = ports.api.volumes(ref)
    ours = [volume for volume in volumes if volume.name in record.volumes]
    if unseen := ports.api.without_snapshot_class(ours):
        ports.journal.warn("snapshots not checked", reason=f"no VolumeSnapshotClass for {', '.join(unseen)}")
        return None
    others = [volume.name for volume in volumes if volume.name not in record.volumes]
    try:
        snapshots = wait_until(
            lambda left: ports.api.watch_snapshots(ref.namespace, left),
            lambda found: judge(record, found, others).settled,
            clock=ports.clock,
            seconds=seconds,
            what="the cut of all snapshots",
            describe=lambda found: f"not cut: {', '.join(judge(record, found, others).waiting_for)}",
            remedy="see the VolumeSnapshots' status and the CSI driver's log, or raise --snapshot-timeout",
        )
    except WaitTimeout as late:
        return Judgement((), wrong=late.found)
    return judge(record, snapshots, others)


def _lifted(cluster: Cluster, record: Record) -> str:
    return "" if cluster.fenced.names(record.instance) else f"the fence of {record.instance} was lifted"


def _disturbed(record: Record, ref: ClusterRef, ports: Ports, seconds: float) -> str:
    """What shows that PostgreSQL ran, or that the volumes are others; empty when nothing does."""
    try:
        instance = _await_pod(record, ref, ports, seconds)
        mounted = [volume for volume in ports.api.volumes(ref) if volume.name in instance.mounts]
        volumes = [volume for volume in mounted if volume.name in record.volumes]
        if {volume.name: volume.uid for volume in volumes} != record.volumes:
            return f"the volumes of {instance.name} are not those that were fenced"
        seen = ports.shell.inspect(ref, instance, volumes)
    except (NotFound, WaitTimeout) as gone:
        return f"pod {record.instance} is gone, so that its volumes cannot be looked at ({gone.found})"
    if instance.uid != record.pod_uid:
        ports.journal.warn("pod was replaced", cluster=str(ref), instance=instance.name)
    if seen.running:
        return f"PostgreSQL runs on {instance.name}"
    if record.proof is None or seen.digest != record.proof.digest:
        return f"PostgreSQL was started on {instance.name} since the seal (pg_control changed)"
    marks = {claim: read_mark(files.mark) for claim, files in seen.files.items()}
    lost = [claim for claim, mark in marks.items() if mark is None or mark.id != record.id]
    return f"the mark is gone from {', '.join(lost)}" if lost else ""


def _await_pod(record: Record, ref: ClusterRef, ports: Ports, seconds: float) -> Instance:
    """A deleted pod comes back under its name, with the same volumes."""
    found = wait_until(
        lambda left: ports.api.watch_instance(ref, record.instance, left),
        lambda instance: instance is not None,
        clock=ports.clock,
        seconds=seconds,
        what=f"pod {record.instance}",
        describe=lambda instance: f"pod {record.instance} is {'not there' if instance is None else 'there'}",
        remedy=f"kubectl get pods -n {ref.namespace}: see why it does not come back",
    )
    if found is None:
        raise NotFound(f"pod {record.instance} is not there", remedy="run again")
    return found
