"""Taking off what a fence of ours has put on: marks, fence entry, record. Repeatable in every state."""

from kanfunc.domain.errors import ExecFailed, NotFound
from kanfunc.domain.hooks import Argv
from kanfunc.domain.record import Changes, Record, Verdict, ended, own_record_of, without_entries
from kanfunc.domain.standing import OnPrimaryLost, held, primary_lost
from kanfunc.domain.world import Cluster, ClusterRef, World
from kanfunc.operations.waiting import edit
from kanfunc.ports import Ports


def release(
    ports: Ports,
    world: World,
    fence_id: str,
    verdict: Verdict,
    *,
    reason: str | None = None,
    command: Argv | None = None,
    seconds: float = 0,
    on_primary_lost: OnPrimaryLost = OnPrimaryLost.HOLD,
) -> Cluster:
    """End the fence of that id with that verdict and reason; those that were given already stay.

    world: as just read. command: what the operator wants run before the fence goes, and how long it may take.
    Does nothing where the record is not of that id: then it is not ours to end. Does not wait for PostgreSQL
    to come back. Returns the Cluster as it is in the end; raises StillStanding where nobody leads and the
    fence is to be held then, which is looked at where it is lifted: an exec takes its time.
    """
    ref, record = world.cluster.ref, own_record_of(world.cluster)
    if record is None or record.id != fence_id:
        return world.cluster
    _erase_marks(ports, world, record)
    if command:
        run_afterwards(ports, ref, record.instance, command, seconds, on_primary_lost=on_primary_lost)

    def decide(cluster: Cluster) -> Changes:
        now = own_record_of(cluster)
        if now is None or now.id != fence_id:
            return {}
        if on_primary_lost is OnPrimaryLost.HOLD and _unled(cluster, now, ports):
            raise held(ref, now)
        if not now.live:
            return without_entries(cluster, now.owned_entries(cluster))
        return ended(cluster, now, now.verdict or verdict, ports.api.running_backups(ref), reason)

    released = edit(ports.api, ref, decide, read=None if command else world.cluster)
    ports.journal.step("released", cluster=str(ref), instance=record.instance, fence=fence_id)
    return released


def _erase_marks(ports: Ports, world: World, record: Record) -> None:
    """Remove this fence's marks where the pod can be reached; one that stays is an old one to all readers."""
    ref, instance = world.cluster.ref, world.instance(record.instance)
    if instance is None:
        ports.journal.warn("marks left", cluster=str(ref), reason=f"pod {record.instance} is gone")
        return
    volumes = [v for v in world.volumes_of(instance) if record.volumes.get(v.name) == v.uid]
    try:
        ports.shell.erase_marks(ref, instance, volumes, record.id)
    except (ExecFailed, NotFound) as error:
        ports.journal.warn("marks left", cluster=str(ref), reason=error.found)


def _unled(cluster: Cluster, record: Record, ports: Ports) -> bool:
    """Whether an entry of ours stands, and nobody leads now."""
    if not record.owned_entries(cluster):
        return False
    return primary_lost(World(cluster, ports.api.instances(cluster.ref), (), ()), record)


def run_afterwards(
    ports: Ports,
    ref: ClusterRef,
    instance: str,
    argv: Argv,
    seconds: float,
    *,
    on_primary_lost: OnPrimaryLost = OnPrimaryLost.HOLD,
    claimed: bool = True,
) -> None:
    """Run the operator's on-error or post-backup command, unless it would lift a fence that is to be held, or
    one that our record does not claim (claimed: whether it has to). It is courtesy: the entry leaves by our
    patch.
    """
    cluster = ports.api.cluster(ref)
    record, why = own_record_of(cluster), ""
    if record and on_primary_lost is OnPrimaryLost.HOLD and _unled(cluster, record, ports):
        why = "nobody leads"
    elif claimed and not (record and record.owns_entry_of(instance, cluster.read_at)):
        why = f"our record does not claim a fence of {instance} any more"
    if why:
        ports.journal.warn("operator's command not run", cluster=str(ref), reason=why)
        return
    try:
        ports.shell.run_hook(ref, instance, argv, seconds)
    except (ExecFailed, NotFound) as error:
        ports.journal.warn("operator's command failed", cluster=str(ref), reason=error.found)
