"""One check of a restored cluster."""

from enum import StrEnum

import msgspec


class Status(StrEnum):
    """Outcome of one check."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_CHECKED = "not checked"


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One check of the restored cluster: what was found, against what was expected."""

    check: str
    status: Status
    found: str
    expected: str = ""
    meaning: str = ""

    @property
    def passed(self) -> bool:
        """Whether this check was made and is good."""
        return self.status is Status.PASSED


def compare(check: str, found: str, expected: str, *, bad: str, good: bool | None = None) -> Finding:
    """Passed where `good`, or else where found is what was expected; `bad` says what a failure means."""
    passed = found == expected if good is None else good
    status = Status.PASSED if passed else Status.FAILED
    return Finding(
        check=check, status=status, found=found, expected=expected, meaning="" if passed else bad
    )  # fmt: skip
