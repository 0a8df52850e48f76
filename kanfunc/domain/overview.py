"""status: what one cluster's own objects tell of fences, backups and restores."""

from datetime import datetime, timedelta

import msgspec

from kanfunc.domain.adapter import adapter_of
from kanfunc.domain.codec import plain
from kanfunc.domain.election import elected_instance
from kanfunc.domain.errors import Refused
from kanfunc.domain.outcome import RestoreOutcome, own_outcome_of
from kanfunc.domain.record import Proven, Record, record_of
from kanfunc.domain.world import ClusterRef, World


class Fenced(msgspec.Struct, frozen=True, kw_only=True):
    """An entry of the fence list. `since` is known of our own alone: entries have no owner and no date."""

    instance: str
    by: str
    since: datetime | None = None
    deadline: datetime | None = None


class Overview(msgspec.Struct, frozen=True, kw_only=True):
    """One cluster. Times are the API server's clock; where nobody is elected, `trouble` says why."""

    namespace: str
    cluster: str
    flavour: str
    checked: datetime
    elected: str | None
    fences: tuple[Fenced, ...]
    last_proven: Proven | None
    last_restore: RestoreOutcome | None
    unverified_restore: bool = False
    """It carries the record of another incarnation: it was restored, and nobody has verified that."""
    trouble: tuple[str, ...] = ()
    unread: str = ""
    """Why nothing of it is known, whatever the other fields say."""

    def text(self) -> str:
        """For people, one fact a line."""
        if self.unread:
            return plain(f"{self.namespace}/{self.cluster} ({self.flavour}): NOT READ: {self.unread}")
        elected = self.elected or "nobody"
        lines = [f"{self.namespace}/{self.cluster} ({self.flavour}), elected: {elected}"]
        lines += [f"  FENCED       {_fence_text(each, self.checked)}" for each in self.fences]
        lines.append(f"  last proven  {self._proven_text()}")
        lines.append(f"  last restore {self._restore_text()}")
        lines += [f"  note         {trouble}" for trouble in self.trouble]
        return "\n".join(map(plain, lines))

    def _proven_text(self) -> str:
        proven = self.last_proven
        if proven is None:
            return "none that is known"
        stood = "" if proven.fenced_seconds is None else f", fenced for {proven.fenced_seconds:.0f} s"
        when = f"{proven.sealed:%Y-%m-%d %H:%M:%SZ} ({ago(self.checked - proven.sealed)})"
        return f"{when} at {proven.end_of_wal} on {proven.instance}{stood}, fence {proven.id}"

    def _restore_text(self) -> str:
        outcome = self.last_restore
        if self.unverified_restore:
            return f"NOT VERIFIED: kanfunc verify-restore -n {self.namespace} --cluster {self.cluster}"
        if outcome is None:
            return "none of this cluster"
        when = f"{outcome.checked:%Y-%m-%d %H:%M:%SZ} ({ago(self.checked - outcome.checked)})"
        if not outcome.proven:
            return f"NOT PROVEN {when}: {outcome.reason}"
        return f"proven {when} at {outcome.end_of_wal}, fence {outcome.fence}"


def overview(world: World) -> Overview:
    """Read it off; nothing is asked of PostgreSQL."""
    cluster, trouble = world.cluster, []
    elected, record = None, None
    fences: tuple[Fenced, ...] = ()
    try:
        elected = elected_instance(world, adapter_of(cluster)).name
    except Refused as refused:
        trouble.append(refused.found)
    try:
        record = record_of(cluster)
        fences = _fences(world, record if record and record.cluster_uid == cluster.uid else None)
    except Refused as refused:
        trouble.append(refused.found)
    own = record if record and record.cluster_uid == cluster.uid else None
    return Overview(
        namespace=cluster.ref.namespace,
        cluster=cluster.ref.name,
        flavour=cluster.flavour.name,
        checked=cluster.read_at,
        elected=elected,
        fences=fences,
        last_proven=own.last_proven if own else None,
        last_restore=own_outcome_of(cluster),
        unverified_restore=record is not None and own is None,
        trouble=tuple(trouble),
    )


def unseen(ref: ClusterRef, checked: datetime, why: str) -> Overview:
    """Of a cluster that cannot be read."""
    return Overview(
        namespace=ref.namespace,
        cluster=ref.name,
        flavour=ref.flavour.name,
        checked=checked,
        elected=None,
        fences=(),
        last_proven=None,
        last_restore=None,
        unread=why,
    )


def _fences(world: World, record: Record | None) -> tuple[Fenced, ...]:
    """Every entry; and a fence of ours that has announced itself, with no entry yet."""
    cluster = world.cluster
    ours = frozenset(record.owned_entries(cluster)) if record else frozenset()
    backups = {backup.instance: backup.name for backup in world.backups}
    found = []
    for entry in cluster.fenced.entries:
        if record and entry in ours:
            found.append(_own(entry, record))
        elif entry in backups:
            found.append(Fenced(instance=entry, by=f"the operator's Backup {backups[entry]}"))
        else:
            found.append(Fenced(instance=entry, by="somebody else"))
    if record and record.live and record.instance not in ours:
        found.append(_own(record.instance, record))
    return tuple(found)


def _own(instance: str, record: Record) -> Fenced:
    return Fenced(
        instance=instance,
        by=f"kanfunc, fence {record.id} ({record.state})",
        since=record.fenced or record.started,
        deadline=record.deadline,
    )


def _fence_text(fence: Fenced, now: datetime) -> str:
    since = f" since {fence.since:%H:%M:%SZ} ({ago(now - fence.since)})" if fence.since else ""
    if fence.deadline is None:
        return f"{fence.instance} by {fence.by}{since}"
    late = ", PAST ITS DEADLINE" if now >= fence.deadline else ""
    return f"{fence.instance} by {fence.by}{since}, until {fence.deadline:%H:%M:%SZ} at the latest{late}"


def ago(passed: timedelta) -> str:
    """For people.

    >>> ago(timedelta(days=2, hours=5)), ago(timedelta(minutes=90)), ago(timedelta(seconds=7))
    ('2 d 5 h ago', '1 h 30 min ago', '7 s ago')
    """
    seconds = max(0, int(passed.total_seconds()))
    for size, name, smaller, rest in ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if seconds >= size:
            return f"{seconds // size} {name} {seconds % size // smaller} {rest} ago"
    return f"{seconds} s ago"
