"""What the watchdog knows of one cluster: the fence that stands, and what it may cost."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from kanfunc.domain.adapter import FREE_KEYS, KASTEN, is_of_another_product
from kanfunc.domain.errors import StillStanding
from kanfunc.domain.outcome import RestoreOutcome
from kanfunc.domain.record import Record
from kanfunc.domain.replication import Replication
from kanfunc.domain.world import Cluster, ClusterRef, World


class OnPrimaryLost(StrEnum):
    """What becomes of a fence when nobody leads the cluster any more."""

    HOLD = "hold"
    """It stands, beyond its deadline: lifted, the stale replica could be promoted, and commits be lost."""
    RELEASE = "release"
    """It goes: the cluster comes back with what the fenced instance has."""


@dataclass(frozen=True)
class Standing:
    """One cluster as it was last looked at.

    bytes_at_stake: WAL that the lost primary had flushed and the fenced instance has not; None where the
    primary is not lost, or nobody saw how far it was. return_seconds: from the end of the last fence until
    its instance was seen to stream; None where nobody watched.
    """

    ref: ClusterRef
    protected_since: datetime | None = None
    """When the Cluster was made, where it asks to be backed up and runs: from then on a backup is due."""
    restore: RestoreOutcome | None = None
    """What the last verification of this incarnation found."""
    record: Record | None = None
    """Our record of this incarnation."""
    relic: bool = False
    """It carries the record of another incarnation: a restore that nobody has verified."""
    primary_lost: bool = False
    bytes_at_stake: int | None = None
    away: bool = False
    """The last fence is over, and its instance does not stream."""
    return_seconds: float | None = None
    elected: str | None = None
    """Who is elected where we elect."""
    failure: str = ""
    """Why the last look came to nothing."""


def concerns_us(cluster: Cluster) -> bool:
    """Whether there is anything to guard: a record of ours, or a wish to be backed up."""
    return not is_of_another_product(cluster) and (cluster.record_text is not None or is_protected(cluster))


def is_protected(cluster: Cluster) -> bool:
    """Whether this cluster asks to be backed up; also where the annotation is otherwise unreadable."""
    text = cluster.annotations.get(cluster.flavour.adapter_key("addons"), "")
    return KASTEN in text or (FREE_KEYS in text and cluster.flavour.has_adapter)


def wants_election(cluster: Cluster) -> bool:
    """Whether this cluster asks to be backed up, and its operator has no adapter that elects."""
    return not cluster.flavour.has_adapter and is_protected(cluster)


def is_back(world: World, record: Record, seen: Replication | None) -> bool:
    """Whether the instance of a fence that is over serves again, or will never be asked to.

    seen: what the primary says; None where it cannot be asked.
    """
    instance = world.instance(record.instance)
    if instance is None:  # scaled away
        return len(world.instances) >= int(world.cluster.spec.get("instances") or 1)
    if world.primary is not None and world.primary.name == record.instance:
        return instance.ready
    return seen is not None and record.instance in seen.streaming


def primary_lost(world: World, record: Record) -> bool:
    """Whether nobody leads while `record` keeps an instance stopped.

    Judged by the pod, never by the phase: the operator was seen to call such a cluster healthy. A primary
    that was fenced itself, with its cluster's permission, is not lost.
    """
    cluster, primary = world.cluster, world.primary
    stopped = record.owned_entries(cluster)
    if not stopped or cluster.hibernated or cluster.deleting or cluster.current_primary in stopped:
        return False
    return primary is None or not primary.ready


def bytes_at_stake(seen: Replication | None, record: Record) -> int | None:
    """Bytes of WAL that would be lost if the fenced instance led from where it stands.

    seen: what the primary said when it was last asked.
    """
    if seen is None or seen.flushed is None or record.proof is None:
        return None
    return max(0, seen.flushed - record.proof.end_of_wal)


def held(ref: ClusterRef, record: Record, why: str = "") -> StillStanding:
    """The failure of whoever would have lifted the fence, and found that nobody leads."""
    return StillStanding(
        f"nobody leads Cluster {ref} while {record.instance} is fenced ({record.id}){why and f': {why}'}",
        expected="a primary: were the fence lifted now, a stale replica would be promoted, without what "
        "was committed since",
        left=f"fence {record.id} on {record.instance}; the watchdog ends it when somebody leads",
        remedy="bring the primary back: docs/runbooks/KanfuncPrimaryLostWhileFenced.md; or, knowing what "
        "it may cost: kanfunc unfence --outcome failure --on-primary-lost release "
        f"-n {ref.namespace} --cluster {ref.name}",
    )
