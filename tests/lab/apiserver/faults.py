"""Failures of the API server that a test asks for."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from tests.lab.apiserver.errors import StatusError
from tests.lab.apiserver.routes import Request

_REASONS = {
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    409: "Conflict",
    410: "Expired",
    429: "TooManyRequests",
    500: "InternalError",
    503: "ServiceUnavailable",
    504: "Timeout",
}


@dataclass(frozen=True)
class Refuse:
    """Answer with this HTTP status and do nothing."""

    code: int

    def error(self) -> StatusError:
        """The refusal."""
        return StatusError(self.code, _REASONS[self.code], "injected failure")


@dataclass(frozen=True)
class Delay:
    """Do it, but only after this time."""

    seconds: float


@dataclass(frozen=True)
class Drop:
    """Reset the connection and do nothing. The client itself repeats GET, PUT and DELETE, three times."""


@dataclass(frozen=True)
class LoseAnswer:
    """Do it, then reset the connection: the client cannot know whether it was done."""


Action: TypeAlias = Refuse | Delay | Drop | LoseAnswer


@dataclass
class Fault:
    """What befalls the next `times` requests that match."""

    matches: Callable[[Request], bool]
    action: Action
    times: int = 1


def next_action(faults: list[Fault], request: Request) -> Action | None:
    """The action of the first fault that matches, which counts as used; used-up faults leave the list."""
    for fault in faults:
        if fault.matches(request):
            fault.times -= 1
            if not fault.times:
                faults.remove(fault)
            return fault.action
    return None
