"""Proof that an instance is cold: what `pg_controldata` says, and where its write-ahead log ends.

Sources: PostgreSQL's `pg_control.h` (states), `xlog_internal.h` (page headers), measured in a lab over
PostgreSQL 15 to 18: after promotion the history file names exactly the end of the last complete record.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from kanfunc.domain.errors import PlatformFailed, Unproven
from kanfunc.domain.lsn import Lsn

COLD_STANDBY, COLD_PRIMARY = "shut down in recovery", "shut down"

_RECORD = re.compile(
    r"rmgr: \w+ +len \(rec/tot\): *\d+/ *(\d+), tx: *\d+, "
    r"lsn: ([0-9A-F]+/[0-9A-F]+), prev [0-9A-F]+/[0-9A-F]+, "
)
"""Head of a line of pg_waldump. What follows it may hold text that users have written."""

_SHORT_PAGE_HEADER, _LONG_PAGE_HEADER, _ALIGNMENT = 24, 40, 8


@dataclass(frozen=True)
class Control:
    """The part of `pg_controldata` that the proof needs. Sizes are bytes.

    timeline: that of the minimum recovery location; on a primary, which has none, of the last checkpoint.
    """

    state: str
    system_identifier: str
    checkpoint: Lsn
    minimum_recovery: Lsn
    timeline: int
    segment_size: int
    page_size: int
    version: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Of the program's output under LC_ALL=C; raises PlatformFailed where a line is missing."""
        lines = (line.split(":", 1) for line in text.splitlines() if ":" in line)
        values = {name.strip(): value.strip() for name, value in lines}
        try:
            state = values["Database cluster state"]
            primary = state == COLD_PRIMARY
            return cls(
                state=state,
                system_identifier=values["Database system identifier"],
                checkpoint=Lsn.parse(values["Latest checkpoint location"]),
                minimum_recovery=Lsn.parse(values["Minimum recovery ending location"]),
                timeline=int(
                    values[
                        "Latest checkpoint's TimeLineID" if primary else "Min recovery ending loc's timeline"
                    ]
                ),
                segment_size=int(values["Bytes per WAL segment"]),
                page_size=int(values["WAL block size"]),
                version=values["pg_control version number"],
            )
        except (KeyError, ValueError) as error:
            raise PlatformFailed(
                f"the output of pg_controldata cannot be read: {error}",
                expected="the English output of PostgreSQL 13 or later",
                remedy="run pg_controldata in the pod by hand and compare",
            ) from error

    def segment_name(self, position: Lsn) -> str:
        """Name of the WAL file that holds the byte at `position` on this timeline."""
        segment, per_log = position // self.segment_size, 0x1_0000_0000 // self.segment_size
        return f"{self.timeline:08X}{segment // per_log:08X}{segment % per_log:08X}"


class Segment(StrEnum):
    """State of the WAL file that holds the minimum recovery location."""

    BEGUN = "begun"
    EMPTY = "empty"
    """Made ready, but nothing was written into it: its first page has no header."""
    ABSENT = "absent"


@dataclass(frozen=True)
class WalTail:
    """What stands in pg_wal from the minimum recovery location on (on a primary: from the last checkpoint).

    segment: state of the file that holds it; newest_segment: the newest file of that timeline; the last
    record, and the complaint, that `pg_waldump` printed.
    """

    segment: Segment
    last_record: str
    complaint: str
    newest_segment: str


def end_of_wal(control: Control, tail: WalTail) -> Lsn:
    """E: the end of the last complete WAL record on the stopped instance.

    Raises Unproven when a segment that must be there is missing: recovery of the copy would end early.
    """
    if control.state == COLD_PRIMARY:
        return _end_of_shutdown_checkpoint(control, tail)
    start = control.segment_name(control.minimum_recovery)
    if tail.segment is not Segment.BEGUN:
        # where a segment ends WAL may end: then the next file was not begun
        gap = tail.segment is Segment.ABSENT and tail.newest_segment > start
        if control.minimum_recovery % control.segment_size or gap:
            raise _missing(start, control, tail)
        return control.minimum_recovery
    if missing := re.search(r'could not find file "([0-9A-F]{24})"', tail.complaint):
        raise _missing(missing[1], control, tail)
    if not tail.last_record:
        if "could not find a valid record after" not in tail.complaint:
            raise PlatformFailed(
                f"pg_waldump found no record and gave no known reason: {tail.complaint!r}",
                expected="a record, or `could not find a valid record after ...`",
                remedy="run pg_waldump in the pod by hand",
            )
        return control.minimum_recovery
    _, end = _extent(control, tail)
    if re.match(r"rmgr: XLOG\b.* desc: SWITCH\b", tail.last_record):
        # nothing can follow it in its segment: to PostgreSQL that record ends where the segment ends
        end = Lsn(-(-end // control.segment_size) * control.segment_size)
    return end


def _end_of_shutdown_checkpoint(control: Control, tail: WalTail) -> Lsn:
    """A primary that shut down cleanly has written nothing after the checkpoint that says so."""
    start, end = _extent(control, tail) if tail.last_record else (None, Lsn(0))
    if start != control.checkpoint or "CHECKPOINT_SHUTDOWN" not in tail.last_record:
        raise Unproven(
            f"the WAL of the stopped primary ends with {tail.last_record or tail.complaint or 'nothing'!r}",
            expected=f"its shutdown checkpoint at {control.checkpoint}",
            remedy="see the instance's log; its copy would have to recover",
        )
    return end


def _extent(control: Control, tail: WalTail) -> tuple[Lsn, Lsn]:
    """Begin and end of the last record."""
    record = _RECORD.match(tail.last_record)
    if not record:
        raise PlatformFailed(
            f"the output of pg_waldump cannot be read: {tail.last_record!r}",
            expected="a record as PostgreSQL 13 or later shows it",
            remedy="run pg_waldump in the pod by hand and compare",
        )
    start = Lsn.parse(record[2])
    return start, _skip(start, int(record[1]), control)


def _missing(name: str, control: Control, tail: WalTail) -> Unproven:
    return Unproven(
        f"WAL segment {name} is missing or empty on the stopped instance",
        expected="all WAL from the minimum recovery location "
        f"{control.minimum_recovery} to the end (newest file: {tail.newest_segment or 'none'})",
        remedy="look for what removes WAL in that instance's pg_wal; the copy would not recover to its end",
    )


def _skip(start: Lsn, length: int, control: Control) -> Lsn:
    """The position after `length` bytes of record data from `start`, page headers not counted, aligned.

    A record that ends at a page's last byte ends the WAL at that page's end: the next header is written
    with the next record only.
    """
    position, left = int(start), -(-length // _ALIGNMENT) * _ALIGNMENT
    while left:
        if position % control.page_size == 0:
            at_segment = position % control.segment_size == 0
            position += _LONG_PAGE_HEADER if at_segment else _SHORT_PAGE_HEADER
        step = min(control.page_size - position % control.page_size, left)
        position, left = position + step, left - step
    return Lsn(position)
