"""doctor: may the primary keep, and has it room for, what it writes while its replica is fenced?"""

import msgspec

from kanfunc.domain.diagnosis import Diagnosis, Unread, good, unchecked, warning

UNLIMITED = -1
ENOUGH_SECONDS = 900


class Capacity(msgspec.Struct, frozen=True, kw_only=True):
    """What the primary says of its WAL, in bytes and seconds."""

    written: int
    """Since `seconds` ago."""
    seconds: float
    wal_keep: int
    slot_keep: int
    """How much a slot may hold back; UNLIMITED."""
    slots: dict[str, str]
    """Instance -> the slot through which it streams."""
    archiving: bool
    archive_failing: bool
    free: int
    """On the volume of the WAL."""

    def needed(self, seconds: float) -> int:
        """What is written in so much time, at the pace so far."""
        return round(self.written / self.seconds * seconds)


def examine_capacity(capacity: Capacity | Unread, instance: str, deadline: float) -> list[Diagnosis]:
    """For a fence that stands until its deadline (seconds)."""
    if isinstance(capacity, Unread):
        return [unchecked(check, capacity) for check in ("WAL retention", "disk of the primary", "archive")]
    if capacity.seconds < ENOUGH_SECONDS:
        why = Unread(f"the primary's statistics cover {capacity.seconds:.0f} s, too little to tell its pace")
        return [unchecked("WAL retention", why), unchecked("disk of the primary", why), _archive(capacity)]
    needed = capacity.needed(deadline)
    return [
        _retention(capacity, instance, needed),
        _room(capacity, needed, deadline),
        _archive(capacity),
    ]


def _retention(capacity: Capacity, instance: str, needed: int) -> Diagnosis:
    slot = capacity.slots.get(instance)
    kept = capacity.slot_keep if slot else capacity.wal_keep
    how = f"slot {slot}" if slot else "wal_keep_size"
    if kept == UNLIMITED or kept >= needed:
        return good("WAL retention", f"{how} keeps what is written until the deadline ({_size(needed)})")
    if capacity.archiving and not capacity.archive_failing:
        return good(
            "WAL retention", f"{how} keeps {_size(kept)} of {_size(needed)}, the archive has the rest"
        )
    return warning(
        "WAL retention",
        f"{how} keeps {_size(kept)}, and {_size(needed)} may be written until the deadline",
        expected="enough for the fenced instance to catch up",
        remedy="enable spec.replicationSlots.highAvailability, raise wal_keep_size or "
        "max_slot_wal_keep_size, or lower the deadline: else the instance must be cloned anew",
    )


def _room(capacity: Capacity, needed: int, deadline: float) -> Diagnosis:
    told = f"{_size(capacity.free)} free, {_size(needed)} may be written in {deadline:g} s"
    if capacity.free > needed:
        return good("disk of the primary", told)
    return warning(
        "disk of the primary",
        told,
        expected="room for all that is written while the replica is fenced",
        remedy="enlarge the WAL volume, or lower the deadline: a full volume stops the primary",
    )


def _archive(capacity: Capacity) -> Diagnosis:
    if not capacity.archiving:
        return good("archive", "none")
    if not capacity.archive_failing:
        return good("archive", "it works; a restore must not reach it (README, Restore)")
    return warning(
        "archive",
        "the last attempt to archive WAL failed",
        expected="a working archive: else WAL piles up on the primary, more so while a replica is fenced",
        remedy="see the primary's log, and the cluster's condition ContinuousArchiving",
    )


def _size(number: int) -> str:
    """For people.

    >>> _size(3 * 1024**3), _size(5 * 1024**2), _size(0)
    ('3.0 GiB', '5.0 MiB', '0.0 MiB')
    """
    return f"{number / 1024**3:.1f} GiB" if number >= 1024**3 else f"{number / 1024**2:.1f} MiB"
