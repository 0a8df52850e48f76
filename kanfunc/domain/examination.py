"""What pg_amcheck and the counts beside it find, read line by line as it comes.

Whatever the damage, what is kept stays small.
"""

import re
from dataclasses import dataclass, field

import msgspec

from kanfunc.domain.codec import Malformed, decode
from kanfunc.domain.survey import told

_KEPT = 20
"""Complaints kept of each kind; the others are counted."""

_PROGRESS = re.compile(r"(\d+)/(\d+) relations \( *\d+%\), *(\d+)/(\d+) pages \( *\d+%\)")
"""`pg_amcheck --progress` (pg_amcheck.c, progress_report)."""
_ERROR = re.compile(r"(?:ERROR|FATAL|PANIC): +(\w{5}): (.*)")
"""psql with VERBOSITY verbose. Warnings are none: each connection gives one where collations have changed."""
_GONE, _ABORTED = "42P01", "25P02"
"""The table was dropped meanwhile; what follows in a transaction that has failed."""
_NOT_MADE = {"08", "40", "53", "55", "57"}
"""Classes of SQLSTATE that say nothing of the data: connection, conflict, resources, intervention."""
_PAGE_BYTES = 8192
"""Every operand image is built with pages of this size."""


@dataclass(frozen=True)
class ExaminationLimits:
    """Connections of pg_amcheck, seconds for all of it; whether extensions are installed where missing."""

    jobs: int = 2
    seconds: float = 3600
    install_amcheck: bool = False


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
    heap: int | None = None
    index: int | None = None
    checksum_failures: int | None = None


class Examination:
    """Reads the lines of one run. An answer that is missing stays unknown, and unknown is not good."""

    def __init__(self) -> None:
        self.progress: Progress | None = None
        self.complaints, self.troubles = Kept(), Kept()
        self.differing, self.uncounted, self.problems = Kept(), Kept(), Kept()
        self.relations = self.counted = 0
        self.exit_code: int | None = None
        self.counts_ended = False
        self.checksum_failures: int | None = None
        self._table = ""
        self._heap: int | None = None

    def read(self, line: str) -> None:
        """Take in the next line of the script's output."""
        source, _, text = line.partition(":")
        if source == "complaint":
            self._read_complaint(text)
        elif source == "amcheck":
            self._read_amcheck(text)
        elif source == "counts":
            self._read_counts(text)
        elif source == "after":
            self.checksum_failures = self._parsed(text).checksum_failures

    def _read_amcheck(self, text: str) -> None:
        if progress := _PROGRESS.search(text):
            self.relations = int(progress[2])
            self.progress = Progress(int(progress[3]) * _PAGE_BYTES, int(progress[4]) * _PAGE_BYTES)
        elif text.startswith("exit "):
            self.exit_code = int(text.removeprefix("exit "))
        elif text.startswith("pg_amcheck: ") and "amcheck is not installed" not in text:
            self.troubles.add(text.removeprefix("pg_amcheck: "))

    def _read_complaint(self, text: str) -> None:
        """A line that names a relation, and further ones, indented, that say what of it."""
        if text.startswith(" ") and self.complaints.first and self.complaints.first[-1].endswith(":"):
            self.complaints.first[-1] += " " + text.strip()
        elif text.strip() and not text.startswith(" "):
            self.complaints.add(text.strip())

    def _read_counts(self, text: str) -> None:
        if text == "end":
            self._finish_table()
            self.counts_ended = True
        elif text.startswith("{"):
            self._take(self._parsed(text))
        elif error := _ERROR.search(text):
            self._take_error(error[1], error[2])

    def _take_error(self, state: str, message: str) -> None:
        if state == _GONE:
            self._table = ""
        elif state[:2] in _NOT_MADE:
            self.troubles.add(message)
        elif state != _ABORTED:
            self.problems.add(message)

    def _take(self, line: _Line) -> None:
        if line.counting is not None:
            self._finish_table()
            self._table, self._heap = f"{line.database}: {line.counting}", None
        elif line.lost is not None:
            self._count(
                f"{self._table} has lost {line.lost} pages, the first is {line.page}", bad=bool(line.lost)
            )
        elif line.heap is not None:
            self._heap = line.heap
        elif line.index is not None and self._heap is not None:
            found = f"{self._table} has {self._heap} rows, its index {line.index}"
            self._count(found, bad=line.index != self._heap)

    def _count(self, found: str, *, bad: bool) -> None:
        self.counted += 1
        self._table = ""
        if bad:
            self.differing.add(found)

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
