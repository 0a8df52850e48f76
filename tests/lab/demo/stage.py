"""How the demo is shown: to a person in a terminal, or as one line per event in a pipe."""

import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self, TextIO

from rich.console import Console
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

LABEL_WIDTH = 15  # columns; the longest label is "empty database"
INDENT = 2
HOLDS, FAILS = "=> holds", "=> DOES NOT HOLD"


@dataclass(frozen=True)
class Claim:
    """Something the demo shows, what was seen of it, and whether that bears it out."""

    text: str
    evidence: str
    holds: bool


class Narrator(AbstractContextManager["Narrator"], Protocol):
    """Tells a story of numbered acts; what is said appears at once."""

    def title(self, text: str, notes: Sequence[tuple[str, str]]) -> None:
        """Open the story; `notes` are pairs of a label and what is to be known beforehand."""

    def act(self, heading: str, purpose: str) -> None:
        """Open the next act."""

    def busy(self, doing: str) -> None:
        """Say what is going on until the next fact; only where that can be taken back."""

    def fact(self, label: str, text: str) -> None:
        """Tell what has just been seen. `text` may have several lines."""

    def claim(self, claim: Claim) -> None:
        """Tell that a claim holds, or does not."""

    def verdict(self, claims: Sequence[Claim], conclusion: str) -> None:
        """Close the story with all claims and what follows from them."""


def narrator_for(stream: TextIO) -> Narrator:
    """Choose the form that fits a stream."""
    return (
        TerminalNarrator(Console(file=stream, highlight=False)) if stream.isatty() else PlainNarrator(stream)
    )


class Stopwatch:
    """Seconds since it was made, as the timeline shows them."""

    def __init__(self) -> None:
        self._started = time.monotonic()

    def __str__(self) -> str:
        return f"{time.monotonic() - self._started:6.1f} s"


class PlainNarrator(Narrator):
    """One line per event, without any control character."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._stopwatch = Stopwatch()
        self._acts = 0

    def __exit__(self, *_: object) -> None:
        self._stream.flush()

    def title(self, text: str, notes: Sequence[tuple[str, str]]) -> None:
        self._write(text)
        for label, note in notes:
            self._write(f"  {label:<{LABEL_WIDTH}} {note}")

    def act(self, heading: str, purpose: str) -> None:
        self._acts += 1
        self._write(f"\n{self._acts}. {heading}: {purpose}")

    def busy(self, doing: str) -> None:
        """A line that has been written cannot be taken back."""

    def fact(self, label: str, text: str) -> None:
        for line in text.splitlines():
            self._write(f"{self._stopwatch}  {label:<{LABEL_WIDTH}} {line}")

    def claim(self, claim: Claim) -> None:
        self.fact(HOLDS if claim.holds else FAILS, claim.text)

    def verdict(self, claims: Sequence[Claim], conclusion: str) -> None:
        width = max((len(claim.text) for claim in claims), default=0)
        self._write("")
        for claim in claims:
            evidence = " ".join(claim.evidence.split())
            self._write(f"{'ok ' if claim.holds else 'BAD'}  {claim.text:<{width}}  {evidence}")
        self._write(f"\n{conclusion}")

    def _write(self, line: str) -> None:
        self._stream.write(f"{line.rstrip()}\n")
        self._stream.flush()


class TerminalNarrator(Narrator):
    """Colour, columns that wrap within themselves, and a line at the bottom that says what is going on."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._status = console.status("")
        self._stopwatch = Stopwatch()
        self._acts = 0

    def __enter__(self) -> Self:
        self._status.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._status.stop()

    def title(self, text: str, notes: Sequence[tuple[str, str]]) -> None:
        self._console.print(Text(f"\n{text}", style="bold"))
        for label, note in notes:
            self._row("", Text(label, style="cyan"), Text(note))

    def act(self, heading: str, purpose: str) -> None:
        self._acts += 1
        self._console.print()
        self._console.print(Rule(Text(f"{self._acts}. {heading}", style="bold"), align="left", style="dim"))
        self._console.print(Padding(Text(purpose, style="italic dim"), (0, 0, 0, INDENT)))

    def busy(self, doing: str) -> None:
        self._status.update(Text(doing, style="dim", no_wrap=True, overflow="ellipsis"))

    def fact(self, label: str, text: str) -> None:
        self._row(str(self._stopwatch), Text(label, style="cyan"), Text(text))

    def claim(self, claim: Claim) -> None:
        style, label = ("green", HOLDS) if claim.holds else ("bold red", FAILS)
        self._row(str(self._stopwatch), Text(label, style=style), Text(claim.text, style=style))

    def verdict(self, claims: Sequence[Claim], conclusion: str) -> None:
        self._status.stop()
        table = Table(box=None, padding=(0, 1, 0, 0), header_style="bold")
        table.add_column("", width=3)
        table.add_column("claim", ratio=2)
        table.add_column("evidence", ratio=3)
        for claim in claims:
            sign = Text("ok", style="green") if claim.holds else Text("BAD", style="bold red")
            table.add_row(sign, Text(claim.text), Text(claim.evidence))
        self._console.print()
        self._console.print(Rule(style="dim"))
        self._console.print(table)
        good = bool(claims) and all(claim.holds for claim in claims)
        self._console.print(Text(f"\n{conclusion}\n", style="bold green" if good else "bold red"))

    def _row(self, when: str, label: Text, text: Text) -> None:
        grid = Table.grid(padding=(0, 1))
        grid.add_column(width=len(str(self._stopwatch)), style="dim")
        grid.add_column(width=LABEL_WIDTH)
        grid.add_column(overflow="fold")
        grid.add_row(when, label, text)
        self._console.print(grid)
