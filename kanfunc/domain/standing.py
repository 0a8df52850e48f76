"""What the watchdog knows of one cluster: the fence that stands, and what it may cost."""

from dataclasses import dataclass

from kanfunc.domain.record import Record
from kanfunc.domain.replication import Replication
from kanfunc.domain.world import Cluster, ClusterRef, World


@dataclass(frozen=True)
class Standing:
    """One cluster as it was last looked at.

    bytes_at_stake: WAL that the lost primary had flushed and the fenced instance has not; None where the
    primary is not lost, or nobody saw how far it was.
    """

    ref: ClusterRef
    record: Record | None = None
    """Our record of this incarnation."""
    relic: bool = False
    """It carries the record of another incarnation: a restore that nobody has verified."""
    primary_lost: bool = False
    bytes_at_stake: int | None = None
    elected: str | None = None
    """Who is elected where we elect."""
    failure: str = ""
    """Why the last look came to nothing."""


def concerns_us(cluster: Cluster) -> bool:
    """Whether there is anything to guard: a record of ours, or an election that nobody else holds."""
    return cluster.record_text is not None or wants_election(cluster)


def wants_election(cluster: Cluster) -> bool:
    """Whether this cluster asks to be backed up, and its operator has no adapter that elects."""
    flavour = cluster.flavour
    return not flavour.has_adapter and flavour.adapter_key("addons") in cluster.annotations


def primary_lost(world: World, record: Record) -> bool:
    """Whether nobody leads while `record` keeps an instance stopped.

    Judged by the pod, never by the phase: the operator was seen to call such a cluster healthy. A primary
    that was fenced itself, with its cluster's permission, is not lost.
    """
    cluster, primary = world.cluster, world.primary
    if cluster.hibernated or cluster.deleting or record.instance == cluster.current_primary:
        return False
    return primary is None or not primary.ready


def bytes_at_stake(seen: Replication | None, record: Record) -> int | None:
    """Bytes of WAL that would be lost if the fenced instance led from where it stands.

    seen: what the primary said when it was last asked.
    """
    if seen is None or seen.flushed is None or record.proof is None:
        return None
    return max(0, seen.flushed - record.proof.end_of_wal)
