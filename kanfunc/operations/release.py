"""Taking off what a fence of ours has put on: marks, fence entry, record. Repeatable in every state."""

from kanfunc.domain.errors import ExecFailed, NotFound
from kanfunc.domain.hooks import Argv
from kanfunc.domain.record import Changes, Record, Verdict, ended, own_record_of, without_entries
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
) -> Cluster:
    """End the fence of that id with that verdict and reason; those that were given already stay.

    world: as just read. command: what the operator wants run before the fence goes, and how long it may take.
    Does nothing where the record is not of that id: then it is not ours to end. Does not wait for PostgreSQL
    to come back. Returns the Cluster as it is in the end.
    """
    ref, record = world.cluster.ref, own_record_of(world.cluster)
    if record is None or record.id != fence_id:
        return world.cluster
    _erase_marks(ports, world, record)
    if command:
        run_afterwards(ports, ref, record.instance, command, seconds)

    def decide(cluster: Cluster) -> Changes:
        now = own_record_of(cluster)
        if now is None or now.id != fence_id:
            return {}
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


def run_afterwards(ports: Ports, ref: ClusterRef, instance: str, argv: Argv, seconds: float) -> None:
    """Run the operator's on-error or post-backup command. It is courtesy: the entry leaves by our patch."""
    try:
        ports.shell.run_hook(ref, instance, argv, seconds)
    except (ExecFailed, NotFound) as error:
        ports.journal.warn("operator's command failed", cluster=str(ref), reason=error.found)
