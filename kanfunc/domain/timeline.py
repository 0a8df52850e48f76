"""What a restored primary says of its timelines, and the traces of a promotion."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from kanfunc.domain.errors import PlatformFailed
from kanfunc.domain.lsn import Lsn


class PrimaryFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What the restored primary says of itself. `history` is the text of its timeline's history file."""

    system_identifier: str
    timeline: int
    xid_status: str | None
    history: str = ""
    started: str = ""
    """When this postmaster started, in its own words: tells it from every other server."""
    version: str = ""

    @property
    def initialised(self) -> datetime:
        """When initdb made this database: the upper half of a system identifier is that time (xlog.c)."""
        return datetime.fromtimestamp(int(self.system_identifier) >> 32, UTC)


@dataclass(frozen=True)
class PromotionFacts:
    """Traces of one promotion on the adopted volume: the END_OF_RECOVERY record as `pg_waldump` prints it
    under TZ=UTC (empty when recycled), and the history file's modification time (None when absent).
    """

    end_of_recovery: str
    history_written: datetime | None

    @property
    def at(self) -> datetime | None:
        """When the promotion happened, by the clock of the node."""
        return _time(r"END_OF_RECOVERY .*time ", self.end_of_recovery) or self.history_written


@dataclass(frozen=True)
class ResumptionFacts:
    """How the WAL of a cold primary goes on: the record at its shutdown checkpoint, and the first commit (or
    abort) after it, as `pg_waldump` prints them under TZ=UTC. Empty: recycled, or there is none.
    """

    checkpoint: str
    first_commit: str

    @property
    def at(self) -> datetime | None:
        """When the first transaction ended after the fence point, by the clock of the node."""
        return _time(r"desc: (?:COMMIT|ABORT)\w* (?:\d+: )?", self.first_commit)


def _time(before: str, record: str) -> datetime | None:
    time = re.search(before + r"(\d+-\d+-\d+ \d+:\d+:\d+\.\d+) UTC", record)
    return datetime.strptime(time[1], "%Y-%m-%d %H:%M:%S.%f").replace(tzinfo=UTC) if time else None


class Switch(msgspec.Struct, frozen=True):
    """The point where a timeline was left for `child`."""

    position: Lsn
    child: int


def switch_from(timeline: int, facts: PrimaryFacts) -> Switch | None:
    r"""Where `timeline` ended in the primary's history; None when it was not left.

    >>> facts = PrimaryFacts(system_identifier="7", timeline=3, xid_status=None,
    ...     history="1\t0/98E4300\tno recovery target specified\n\n2\t0/A000000\tswitchover\n")
    >>> switch_from(1, facts), switch_from(2, facts).child, switch_from(3, facts)
    (Switch(position=Lsn('0/98E4300'), child=2), 3, None)
    """
    lines = [line.split() for line in facts.history.splitlines() if line.strip()[:1].isdigit()]
    try:
        switches = [(int(words[0]), Lsn.parse(words[1])) for words in lines]
    except (IndexError, ValueError) as error:
        raise PlatformFailed(
            f"the timeline history cannot be read: {facts.history!r}",
            expected="a line for each timeline that was left: its number, the WAL position, why",
            remedy="look at the newest *.history file in the primary's pg_wal",
        ) from error
    timelines = [line for line, _ in switches] + [facts.timeline]
    for (left, position), child in zip(switches, timelines[1:], strict=True):
        if left == timeline:
            return Switch(position, child)
    return None
