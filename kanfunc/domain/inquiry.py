"""How a restored database is asked: by questions, each of which may depend on the answers before it. Pure."""

from collections.abc import Generator
from dataclasses import dataclass

from kanfunc.domain.checks import Check
from kanfunc.domain.finding import Finding, Status, Tier, compare

Row = tuple[str | None, ...]
"""Values as PostgreSQL prints them, in UTC and with ISO dates; None is NULL."""


@dataclass(frozen=True)
class Session:
    """Who logs in where, and whom he then becomes. method: how; None is what there are credentials for.

    server: start time of the postmaster that must answer, version: its major one; seconds: for a statement.
    """

    host: str
    database: str
    user: str
    role: str | None
    method: str | None
    server: str
    version: int
    seconds: int


@dataclass(frozen=True)
class Question:
    """One statement. limit: rows that are of interest, 0 for a statement without rows; complete: rows hidden
    by policies make it fail.

    width: characters of each value that are of interest in a query of the checks' author, which has its
    user's search path. None: a statement of ours, which finds PostgreSQL's own objects alone.
    """

    sql: str
    parameters: tuple[str | tuple[str, ...], ...] = ()
    limit: int = 1
    complete: bool = False
    width: int | None = None


@dataclass(frozen=True)
class Answer:
    """Its rows, at most as many as were of interest; `more` where it has others."""

    rows: tuple[Row, ...]
    more: bool = False


Inquiry = Generator[Question, Answer, Finding]
"""Yields what it asks, is sent the answers, and returns what they come to."""


def finding(check: Check, found: str, expected: str, *, good: bool, bad: str) -> Finding:
    """A finding of depth content; `bad` is shown when it fails."""
    return compare(check.name, found, expected, good=good, bad=bad, tier=Tier.CONTENT)


def not_checked(check: Check, found: str, meaning: str) -> Finding:
    """A finding of depth content, where the check could not be made."""
    return Finding(check=check.name, tier=Tier.CONTENT, status=Status.NOT_CHECKED, found=found,
                   expected=f"the check made ({check.kind})", meaning=meaning)  # fmt: skip


def held(*names: str) -> Question:
    """That the table stays what it is: nobody exchanges it for another between our statements."""
    return Question(f"LOCK TABLE {quoted(*names)} IN ACCESS SHARE MODE", limit=0)


def quoted(*names: str) -> str:
    """A name of SQL, with the names of what it is in before it."""
    return ".".join('"' + name.replace('"', '""') + '"' for name in names)
