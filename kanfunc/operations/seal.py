"""Sealing: marks inside the volumes, everything on disk, a last look, and the record that says so."""

from collections.abc import Sequence

from kanfunc import __version__
from kanfunc.domain.codec import encode
from kanfunc.domain.election import elected_instance, elected_volumes
from kanfunc.domain.errors import Unproven
from kanfunc.domain.mark import MARK_FILE, Mark
from kanfunc.domain.preflight import Plan
from kanfunc.domain.record import Changes, Proof, Record, State, own_record_of, written
from kanfunc.domain.world import Cluster, World
from kanfunc.operations.waiting import edit
from kanfunc.ports import Ports


def seal(plan: Plan, fence_id: str, proof: Proof, ports: Ports) -> Record:
    """Mark the volumes, look again, and set the record to sealed; Unproven where something has changed."""
    cluster = ports.api.cluster(plan.ref)
    mark = _mark(plan, fence_id, proof, cluster)
    ports.shell.inscribe(plan.ref, plan.instance, plan.volumes, MARK_FILE, encode(mark))
    sealed: list[Record] = []

    def decide(cluster: Cluster) -> Changes:
        """Anything written to the Cluster after this look makes the patch fail, and the look is repeated."""
        world = ports.api.world(plan.ref, cluster)
        record = own_record_of(cluster)
        if record is not None and record.id == fence_id and record.state is State.SEALED:
            return {}
        older = _existing_snapshots(world, ports)
        changed = _changed(plan, fence_id, world) or _stirred(plan, mark, ports)
        if record is None or changed:
            raise Unproven(
                changed or f"our record on Cluster {plan.ref} is gone",
                expected="everything as it was when PostgreSQL was found cold",
                remedy="see who acted on the cluster at the same time, then run again",
            )
        sealed.append(
            record.but(state=State.SEALED, sealed=cluster.read_at, proof=proof, older_snapshots=older)
        )
        return written(sealed[-1])

    edit(ports.api, plan.ref, decide, exact=True, read=cluster)
    _tell(plan, sealed[-1], ports)
    return sealed[-1]


def _mark(plan: Plan, fence_id: str, proof: Proof, cluster: Cluster) -> Mark:
    return Mark(
        id=fence_id,
        cluster_uid=plan.cluster.uid,
        namespace=plan.ref.namespace,
        cluster=plan.ref.name,
        instance=plan.instance.name,
        proof=proof,
        written=cluster.read_at,
        kanfunc=__version__,
    )


def _existing_snapshots(world: World, ports: Ports) -> tuple[str, ...]:
    claims = {volume.name for volume in world.volumes}
    found = ports.api.snapshots(world.cluster.ref.namespace)
    return tuple(sorted(snapshot.uid for snapshot in found if snapshot.claim in claims))


def _changed(plan: Plan, fence_id: str, world: World) -> str:
    """What is no longer as planned in the API server's eyes; empty when nothing."""
    record = own_record_of(world.cluster)
    if record is None or record.id != fence_id or record.state is not State.FENCED:
        return f"our record on Cluster {plan.ref} was ended or replaced while we worked"
    if not world.cluster.fenced.names(plan.instance.name):
        return f"the fence of {plan.instance.name} was lifted by somebody else"
    if world.backups:
        return f"the operator's own Backup {world.backups[0].name} has begun"
    instance = elected_instance(world, plan.adapter)
    if instance.uid != plan.instance.uid:
        return f"the election or the elected pod changed (now {instance.name}, pod UID {instance.uid})"
    if elected_volumes(world, instance, plan.adapter) != plan.volumes:
        return f"the volumes of {instance.name} changed"
    return ""


def _stirred(plan: Plan, mark: Mark, ports: Ports) -> str:
    """What is no longer as proven on the volumes; empty when nothing."""
    seen = ports.shell.inspect(plan.ref, plan.instance, plan.volumes)
    if seen.running:
        return f"PostgreSQL runs again on {plan.instance.name}"
    if seen.digest != mark.proof.digest:
        return f"pg_control of {plan.instance.name} changed since PostgreSQL was stopped"
    text = encode(mark)
    unmarked: Sequence[str] = [claim for claim, files in seen.files.items() if files.mark != text]
    return f"the mark cannot be read back from {', '.join(unmarked)}" if unmarked else ""


def _tell(plan: Plan, record: Record, ports: Ports) -> None:
    proof = record.proof
    ports.journal.step("sealed", cluster=str(plan.ref), fence=record.id, volumes=sorted(record.volumes))
    if proof:
        ports.api.announce(
            plan.cluster,
            "Fenced",
            f"fence {record.id}: {record.instance} is cold at {proof.end_of_wal} and holds all commits "
            f"before {proof.bound_at:%Y-%m-%d %H:%M:%SZ}; deadline {record.deadline:%H:%M:%SZ}",
        )
