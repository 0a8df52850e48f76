"""Where things stand in the drawings of a report. Pure geometry, in the units of an SVG 800 wide."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from kanfunc.domain.lsn import Lsn
from kanfunc.domain.report import Report

WIDTH, MARGIN = 800, 70


@dataclass(frozen=True)
class Station:
    """One moment; `after` is the time since the one before."""

    x: float
    label: str
    at: datetime
    after: str


@dataclass(frozen=True)
class Position:
    """One place in the write-ahead log; equal steps, whatever lies between."""

    x: float
    at: Lsn


@dataclass(frozen=True)
class Proof:
    """The write-ahead log of the fenced instance, and that of the restored database below it."""

    bound: Position
    fenced_end: Position
    restored_end: Position | None
    meets: bool
    difference: int
    """Bytes by which the restored database went beyond the fenced instance; negative: that it lacks."""


def stations(report: Report) -> list[Station]:
    """The life of this copy, from its fence to this report; equal steps, whatever time is between."""
    mark = report.mark
    moments = [
        ("fence began", mark.proof.bound_at if mark else None),
        ("stopped, marked", mark.written if mark else None),
        ("volume restored", report.restored),
        ("database went on", report.continued),
        ("verified", report.checked),
    ]
    known = sorted(((at, label) for label, at in moments if at), key=lambda moment: moment[0])
    step = (WIDTH - 2 * MARGIN) / max(1, len(known) - 1)
    befores = [None, *(at for at, _ in known)]
    return [
        Station(MARGIN + index * step, label, at, span(at - before) if before else "")
        for index, ((at, label), before) in enumerate(zip(known, befores, strict=False))
    ]


def proof_of(report: Report) -> Proof | None:
    """The drawing of "continues exactly where the fenced instance ended"; None without a mark."""
    if report.mark is None:
        return None
    proof = report.mark.proof
    end, reached = proof.end_of_wal, report.ended_at
    places = sorted({proof.bound, end, *([reached] if reached is not None else [])})
    step = (WIDTH - 4 * MARGIN) / (len(places) + 1)

    def place(at: Lsn) -> Position:
        return Position(2 * MARGIN + (places.index(at) + 1) * step, at)

    return Proof(
        bound=place(proof.bound),
        fenced_end=place(end),
        restored_end=place(reached) if reached is not None else None,
        meets=reached == end,
        difference=(reached - end) if reached is not None else 0,
    )


def span(time: timedelta) -> str:
    """A time for people, in its two greatest units.

    >>> span(timedelta(seconds=4.2)), span(timedelta(seconds=300)), span(timedelta(days=2, minutes=9))
    ('4.2 s', '5 min', '2 d 9 min')
    """
    if time < timedelta(minutes=1):
        return f"{time.total_seconds():.3g} s"
    rest = round(time.total_seconds())
    parts = []
    for unit, seconds in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        count, rest = divmod(rest, seconds)
        parts += [f"{count} {unit}"] if count else []
    return " ".join(parts[:2])
