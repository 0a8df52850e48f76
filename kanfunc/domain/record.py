"""The record: the one annotation on the Cluster that says what we fenced. The only state decisions read.

States: placing -> fenced -> sealed -> ending -> ended. Whatever rewrites it does so by one JSON patch
that tests the annotations it has read.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import StrEnum

import msgspec

from kanfunc.domain.codec import Instant, Malformed, decode, encode
from kanfunc.domain.errors import Refused
from kanfunc.domain.flavour import RECORD_ANNOTATION
from kanfunc.domain.lsn import Lsn
from kanfunc.domain.world import Cluster, RunningBackup

Changes = Mapping[str, str | None]
"""Annotations to set, or to remove where the value is None."""


class State(StrEnum):
    """Where the fence is in its life."""

    PLACING = "placing"
    """Announced. No entry of the fence list is ours until the operator's hook may have run."""
    FENCED = "fenced"
    """The entry stands and is ours."""
    SEALED = "sealed"
    """PostgreSQL is proven cold, the volumes are marked."""
    ENDING = "ending"
    """Judged; being released."""
    ENDED = "ended"


class Verdict(StrEnum):
    """How the fence ended."""

    HELD = "held"
    BROKEN = "broken"
    ROLLED_BACK = "rolled-back"


class Late(msgspec.Struct, frozen=True, kw_only=True):
    """A pre-backup command whose end nobody has seen: an entry for `instance` is ours until then."""

    instance: str
    until: Instant


class Proof(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What was measured at the fence. `bound` and `xid` are those of our own transaction on the primary."""

    bound: Lsn
    bound_at: Instant
    xid: str
    end_of_wal: Lsn
    minimum_recovery: Lsn
    timeline: int
    system_identifier: str
    digest: str
    """SHA-256 of pg_control and the time of its last write: changes whenever PostgreSQL starts."""
    control_version: str
    replay_seconds: float | None = None
    """How long the elected replica took to replay the bound: its lag when the fence began."""
    shutdown_checkpoint: Lsn | None = None
    """Where the WAL of a stopped primary ends; None on a standby."""
    server_version: str = ""
    """What ran there, as in "15.18 (Debian 15.18-0+deb12u1)"; empty in older marks."""


class Proven(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A backup that was proven, as it is remembered when its record has been replaced."""

    id: str
    instance: str
    sealed: Instant
    end_of_wal: Lsn
    fenced_seconds: float | None = None


class Record(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One fence, from its announcement to its end. Times are the API server's clock."""

    id: str
    cluster_uid: str
    instance: str
    pod_uid: str
    volumes: dict[str, str]
    """Claim name -> claim UID of the fenced instance's volumes."""
    state: State
    started: Instant
    deadline: Instant
    verdict: Verdict | None = None
    reason: str | None = None
    sealed: Instant | None = None
    proof: Proof | None = None
    late: tuple[Late, ...] = ()
    older_snapshots: tuple[str, ...] = ()
    """UIDs of the VolumeSnapshots that existed when the fence was sealed."""
    fenced: Instant | None = None
    """When the entry was there: since then PostgreSQL was to stop."""
    ended: Instant | None = None
    """When the entry was taken out."""
    before: Proven | None = None
    """The last backup that was proven before this fence."""
    judged: Instant | None = None
    judged_snapshots: tuple[str, ...] | None = None
    """UIDs of the VolumeSnapshots that the verdict was judged on; None where they cannot be seen."""

    def but(self, **changes: object) -> "Record":
        """A copy with other values."""
        return msgspec.structs.replace(self, **changes)

    @property
    def live(self) -> bool:
        """Not ended: something of it may stand."""
        return self.state is not State.ENDED

    @property
    def fenced_seconds(self) -> float | None:
        """How long PostgreSQL was kept from running; None before the end, and where it never was."""
        return (self.ended - self.fenced).total_seconds() if self.fenced and self.ended else None

    @property
    def last_proven(self) -> Proven | None:
        """The last backup of this cluster that was proven: of this fence, or of one before."""
        if self.verdict is not Verdict.HELD or self.sealed is None or self.proof is None:
            return self.before
        return Proven(
            id=self.id,
            instance=self.instance,
            sealed=self.sealed,
            end_of_wal=self.proof.end_of_wal,
            fenced_seconds=self.fenced_seconds,
        )

    def owns_entry_of(self, instance: str, now: datetime) -> bool:
        """Whether an entry for `instance` in the fence list counts as ours.

        Entries have no owner, so it follows from the record alone: while it lives and the entry was placed
        or may have been placed by the operator's command; afterwards only until that command's time is up.
        """
        if any(late.instance == instance and (self.live or now < late.until) for late in self.late):
            return True
        placed = self.state in {State.FENCED, State.SEALED, State.ENDING}
        return placed and instance == self.instance

    def pending(self, now: datetime) -> tuple[Late, ...]:
        """Commands that may still have their effect; the record that replaces this one carries them on."""
        return tuple(late for late in self.late if now < late.until)

    def owned_entries(self, cluster: Cluster) -> tuple[str, ...]:
        """The entries of the fence list that are ours."""
        entries = cluster.fenced.entries
        ours = {name for name in set(entries) & self._names if self.owns_entry_of(name, cluster.read_at)}
        return tuple(name for name in entries if name in ours)

    @property
    def _names(self) -> set[str]:
        """Whose entries may be ours: few of many, which each take a look at all that are late."""
        return {self.instance, *(late.instance for late in self.late)}


def record_of(cluster: Cluster) -> Record | None:
    """Our record on this Cluster, of whatever incarnation; raises Refused where it cannot be read."""
    if cluster.record_text is None:
        return None
    try:
        return decode(cluster.record_text, Record)
    except Malformed as error:
        raise Refused(
            f"the record {RECORD_ANNOTATION} on Cluster {cluster.ref} cannot be read ({error})",
            expected="what kanfunc wrote there",
            remedy="if no backup is running, remove that annotation and any entry of ours in "
            f"{cluster.flavour.fenced_instances}, then run again",
        ) from error


def own_record_of(cluster: Cluster) -> Record | None:
    """Our record of this very incarnation: one with another UID is a relic of a restore point."""
    record = record_of(cluster)
    return record if record and record.cluster_uid == cluster.uid else None


def relic_cleared(cluster: Cluster, relic: Record) -> Changes:
    """The change that removes the record of another incarnation, and the entry it had when captured."""
    return {RECORD_ANNOTATION: None, **without_entries(cluster, (relic.instance,) if relic.live else ())}


def written(record: Record) -> Changes:
    """The change that stores the record."""
    return {RECORD_ANNOTATION: encode(record)}


def ended(
    cluster: Cluster,
    record: Record,
    verdict: Verdict,
    backups: Iterable[RunningBackup],
    reason: str | None = None,
) -> Changes:
    """The one change that ends the record and takes our entries out of the fence list.

    An entry stays where an unfinished Backup of the operator works on that instance: it took the fence for
    its own, and takes it away itself when it ends.
    """
    held = {backup.instance for backup in backups}
    ours = tuple(name for name in record.owned_entries(cluster) if name not in held)
    over = record.but(
        state=State.ENDED, verdict=verdict, reason=record.reason or reason, ended=cluster.read_at
    )
    return {**written(over), **without_entries(cluster, ours)}


def without_entries(cluster: Cluster, names: tuple[str, ...]) -> Changes:
    """The change that takes these entries out, everything else in the list staying; {} when there is none."""
    fenced = cluster.fenced
    for name in names:
        fenced = fenced.without(name)
    return {} if fenced == cluster.fenced else {cluster.flavour.fenced_instances: fenced.annotation()}
