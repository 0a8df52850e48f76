"""What pg_amcheck and the looks beside it find, read line by line as it comes.

Whatever the damage, what is kept stays small.
"""

import re
from dataclasses import dataclass, field

import msgspec

from kanfunc.domain.codec import Malformed, decode
from kanfunc.domain.survey import numbers_of, told

_KEPT = 20
"""Complaints kept of each kind; the others are counted."""

_PROGRESS = re.compile(r"(\d+)/(\d+) relations \( *\d+%\), *(\d+)/(\d+) pages \( *\d+%\)")
"""`pg_amcheck --progress` (pg_amcheck.c, progress_report)."""
_EXIT = re.compile(r"exit ([0-9]{1,3})")
_ERROR = re.compile(r"(?:ERROR|FATAL|PANIC): +(\w{5}): (.*)")
"""psql with VERBOSITY verbose. Warnings are none: each connection gives one where collations have changed."""
_GONE = "42P01"
"""The table was dropped meanwhile."""
_NOT_MADE = {"08", "25", "40", "53", "55", "57", "P0"}
"""Classes of SQLSTATE that say nothing of the data: connection, transaction, conflict, resources,
intervention, a trigger's refusal."""
_PAGE_BYTES = 8192
"""Every operand image is built with pages of this size."""


@dataclass(frozen=True)
class ExaminationLimits:
    """Connections of pg_amcheck, seconds for all of it; whether extensions are installed where missing."""

    jobs: int = 2
    seconds: float = 3600
    install_amcheck: bool = False


class Obstacle(msgspec.Struct, frozen=True, kw_only=True):
    """What stands in pg_amcheck's way in one database.

    bars: why it must not be run in any: it might call functions of others as superuser. reason: why the
    extension was not installed, though that was asked for.
    """

    database: str
    bars: str = ""
    reason: str = ""


_AS_OWNER_SINCE = {13: (13, 7), 14: (14, 3)}


def runs_as_owner(version: str) -> bool:
    """Whether amcheck evaluates an index's expressions with the rights of the table's owner (CVE-2022-1552).

    Older minor versions evaluate them with ours.

    >>> [runs_as_owner(version) for version in ("14.2", "14.3 (Debian)", "13.6", "15.0", "18beta1", "")]
    [False, True, False, True, True, False]
    """
    numbers = numbers_of(version)
    return numbers >= _AS_OWNER_SINCE.get(numbers[0], (15,)) if numbers else False


@dataclass(frozen=True)
class Progress:
    """How far pg_amcheck is, in bytes as it counts them: by the size that tables had when vacuumed."""

    done: int
    total: int

    def left(self, elapsed: float) -> float | None:
        """Seconds to go, as long as it goes on like in the `elapsed` ones; None where nobody knows.

        >>> Progress(25, 100).left(10.0), Progress(0, 100).left(1.0)
        (30.0, None)
        """
        return elapsed * (self.total - self.done) / self.done if self.done else None


@dataclass
class Kept:
    """The first few of many lines, and how many there were."""

    first: list[str] = field(default_factory=list)
    count: int = 0

    def add(self, line: str) -> None:
        """One more."""
        self.count += 1
        if len(self.first) < _KEPT:
            self.first.append(line[:500])

    def __str__(self) -> str:
        return told(self.first, self.count, most=3)


class _Line(msgspec.Struct, frozen=True, kw_only=True):
    counting: str | None = None
    database: str = ""
    lost: int | None = None
    page: int | None = None
    blind: str | None = None
    trigger: str = ""
    checksum_failures: int | None = None


class Examination:
    """Reads the lines of one run. An answer that is missing stays unknown, and unknown is not good."""

    def __init__(self) -> None:
        self.progress: Progress | None = None
        self.complaints, self.troubles = Kept(), Kept()
        """Of pg_amcheck; those that follow are of the looks beside it."""
        self.differing, self.uncounted, self.problems = Kept(), Kept(), Kept()
        self.unmade = Kept()
        self.relations = self.counted = 0
        self.exit_code: int | None = None
        self.looks_ended = False
        self.checksum_failures: int | None = None
        self._table = ""

    def read(self, line: str) -> None:
        """Take in the next line of the script's output."""
        source, _, text = line.partition(":")
        if source == "complaint":
            self._read_complaint(text)
        elif source == "amcheck":
            self._read_amcheck(text)
        elif source == "looks":
            self._read_looks(text)
        elif source == "after":
            self.checksum_failures = self._parsed(text).checksum_failures

    def _read_amcheck(self, text: str) -> None:
        if progress := _PROGRESS.search(text):
            self.relations = int(progress[2])
            self.progress = Progress(int(progress[3]) * _PAGE_BYTES, int(progress[4]) * _PAGE_BYTES)
        elif ended := _EXIT.fullmatch(text):
            self.exit_code = int(ended[1])
        elif text.startswith("pg_amcheck: ") and "amcheck is not installed" not in text:
            self.troubles.add(text.removeprefix("pg_amcheck: "))

    def _read_complaint(self, text: str) -> None:
        """A line that names a relation, and further ones, indented, that say what of it."""
        if text.startswith(" ") and self.complaints.first and self.complaints.first[-1].endswith(":"):
            self.complaints.first[-1] += " " + text.strip()
        elif text.strip() and not text.startswith(" "):
            self.complaints.add(text.strip())

    def _read_looks(self, text: str) -> None:
        if text == "end":
            self._finish_table()
            self.looks_ended = True
        elif text.startswith("{"):
            self._take(self._parsed(text))
        elif error := _ERROR.search(text):
            self._take_error(error[1], error[2])

    def _take_error(self, state: str, message: str) -> None:
        if state == _GONE:
            self._table = ""
        elif state[:2] in _NOT_MADE:
            self.unmade.add(message)
        else:
            self.problems.add(message)

    def _take(self, line: _Line) -> None:
        if line.counting is not None:
            self._finish_table()
            self._table = f"{line.database}: {line.counting}"
        elif line.lost is not None:
            self.counted += 1
            if line.lost:
                self.differing.add(f"{self._table} has lost {line.lost} pages, the first is {line.page}")
            self._table = ""
        elif line.blind is not None:
            because = f": the event trigger {line.trigger} would run as superuser" if line.trigger else ""
            self.unmade.add(f"pg_visibility cannot be used in {line.blind}{because}")

    def _finish_table(self) -> None:
        if self._table:
            self.uncounted.add(self._table)
        self._table = ""

    def _parsed(self, text: str) -> _Line:
        try:
            return decode(text, _Line)
        except Malformed:
            self.problems.add(text)
            return _Line()
