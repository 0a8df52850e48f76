"""All that can go wrong, as one tree: the type says the exit code, the text what to do at 3 a.m."""

from collections.abc import Sequence
from typing import ClassVar, Self


class KanfuncError(Exception):
    """Base of all failures.

    found: what was seen; expected: what would have been right; left: what was left as it was;
    remedy: what to do next. Only `found` is mandatory.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, found: str, *, expected: str = "", left: str = "", remedy: str = "") -> None:
        super().__init__(found)
        self.found = found
        self.expected = expected
        self.left = left
        self.remedy = remedy

    def leaving(self, left: str) -> Self:
        """Itself, saying what was left as it was, unless it says so already."""
        self.left = self.left or left
        return self

    def __str__(self) -> str:
        parts = [self.found]
        parts += [f"expected: {self.expected}"] if self.expected else []
        parts += [f"left as it was: {self.left}"] if self.left else []
        parts += [f"next: {self.remedy}"] if self.remedy else []
        return "\n  ".join(parts)


class Refused(KanfuncError):
    """A precondition does not hold or input is bad: nothing was changed."""

    exit_code = 3

    def __init__(self, found: str, *, expected: str, remedy: str, left: str = "everything") -> None:
        super().__init__(found, expected=expected, left=left, remedy=remedy)


class Unproven(KanfuncError):
    """The check was made and the answer is bad, or it cannot be had though it is mandatory."""

    exit_code = 2


class StillStanding(KanfuncError):
    """Failed, and something of ours still stands in the cluster."""

    exit_code = 4


class PlatformFailed(KanfuncError):
    """The tool, Kubernetes or PostgreSQL did not do what it was asked."""


class Terminated(PlatformFailed):
    """SIGTERM or SIGINT arrived; raised in the main thread so that the roll-back runs."""


class WaitTimeout(PlatformFailed):
    """What was waited for did not come in time; the text says what was last seen."""


class ApiFailed(PlatformFailed):
    """The API server refused or could not be reached."""


class NotFound(ApiFailed):
    """The object, or the whole resource type, is not there."""


class Forbidden(ApiFailed):
    """The API server does not let us: the same call would fail again, and what failed was not done."""

    exit_code = 3


class Conflict(ApiFailed):
    """Somebody changed the object since it was read: read again, decide again."""


class WatchBroken(ApiFailed):
    """A watch ended early: list again and go on."""


class ClientFailed(PlatformFailed):
    """A client of the database did not get through, or its statement failed.

    sqlstate: PostgreSQL's code of a statement that failed; empty where there was no session.
    stranger: there is a session, but with another server than the one under examination.
    """

    def __init__(self, found: str, *, sqlstate: str = "", stranger: bool = False) -> None:
        super().__init__(found)
        self.sqlstate = sqlstate
        self.stranger = stranger


class ExecFailed(PlatformFailed):
    """A command in a pod failed, ran out of time, or its connection was cut before its end was seen."""

    def __init__(self, found: str, *, timed_out: bool = False, remedy: str = "") -> None:
        super().__init__(found, remedy=remedy)
        self.timed_out = timed_out
        """The command was ended at its limit: it is known not to run any more."""


class ExecCut(ExecFailed):
    """Nobody saw the end of the command: it may have come, and it may still be running."""


class ExecForbidden(ExecFailed):
    """The API server does not let us run commands in that pod: nothing ran."""

    exit_code = 3


_WORST_FIRST = (4, 2, 1, 3)


def worst(failures: Sequence[KanfuncError]) -> KanfuncError:
    """The failure that decides the exit code of a call for several clusters."""
    return min(failures, key=lambda failure: _WORST_FIRST.index(failure.exit_code))
