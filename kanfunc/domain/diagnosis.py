"""What doctor says of one cluster: a grade for each check, and whether a backup now would be proven."""

from collections.abc import Callable
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeVar

import msgspec

from kanfunc.domain.codec import plain
from kanfunc.domain.errors import Refused

T = TypeVar("T")


class Grade(StrEnum):
    """Outcome of one check."""

    GOOD = "good"
    WARNING = "warning"
    """A backup would be proven, and something else is not as it should be."""
    BAD = "bad"
    """A backup would not be proven."""
    NOT_CHECKED = "not checked"


class Unread(msgspec.Struct, frozen=True):
    """A fact that could not be read, and why."""

    reason: str


class Diagnosis(msgspec.Struct, frozen=True, kw_only=True):
    """One check: what was found, what would be right, what to do.

    decides: without it nobody can say that a backup would be proven, so that `not checked` is not enough.
    """

    check: str
    grade: Grade
    found: str
    expected: str = ""
    remedy: str = ""
    decides: bool = False

    @property
    def speaks_against(self) -> bool:
        """Whether a backup would not be proven, or nobody can say so."""
        return self.grade is Grade.BAD or (self.decides and self.grade is Grade.NOT_CHECKED)


def good(check: str, found: str) -> Diagnosis:
    """As it should be."""
    return Diagnosis(check=check, grade=Grade.GOOD, found=found)


def warning(check: str, found: str, *, expected: str, remedy: str) -> Diagnosis:
    """A backup would be proven all the same."""
    return Diagnosis(check=check, grade=Grade.WARNING, found=found, expected=expected, remedy=remedy)


def bad(check: str, found: str, *, expected: str, remedy: str) -> Diagnosis:
    """A backup would not be proven."""
    return Diagnosis(check=check, grade=Grade.BAD, found=found, expected=expected, remedy=remedy)


def unchecked(check: str, why: Unread, *, decides: bool = False) -> Diagnosis:
    """Nobody can say."""
    return Diagnosis(check=check, grade=Grade.NOT_CHECKED, found=why.reason, decides=decides)


def decided(
    check: str, decide: Callable[[], T], describe: Callable[[Any], str]
) -> tuple[T | None, Diagnosis]:
    """A decision of the fence itself, made here without a fence: a refusal is what doctor tells."""
    try:
        value = decide()
    except Refused as refused:
        return None, bad(check, refused.found, expected=refused.expected, remedy=refused.remedy)
    return value, good(check, describe(value))


class Examination(msgspec.Struct, frozen=True, kw_only=True):
    """All that doctor has to say of one cluster."""

    namespace: str
    cluster: str
    flavour: str
    checked: datetime
    would_be_proven: bool
    diagnoses: tuple[Diagnosis, ...]

    def text(self) -> str:
        """For people: the verdict, then a line for each check, with what to do where it is not good."""
        verdict = "would be proven" if self.would_be_proven else "would NOT be proven"
        lines = [f"{self.namespace}/{self.cluster}: a backup now {verdict}"]
        for each in self.diagnoses:
            lines.append(f"  {_SIGNS[each.grade]} {each.check}: {each.found}")
            lines += [f"       expected: {each.expected}"] if each.expected else []
            lines += [f"       next: {each.remedy}"] if each.remedy else []
        return "\n".join(map(plain, lines))


_SIGNS = {Grade.GOOD: "ok  ", Grade.WARNING: "warn", Grade.BAD: "BAD ", Grade.NOT_CHECKED: "n/a "}
