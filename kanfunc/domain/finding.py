"""One check of a restored cluster."""

from collections.abc import Iterable
from enum import StrEnum

import msgspec


class Status(StrEnum):
    """Outcome of one check."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_CHECKED = "not checked"
    WARNING = "warning"
    """Made, and for a person's eye; does not spoil the verdict."""


class Tier(StrEnum):
    """How deep a check looks."""

    IDENTITY = "identity"
    STRUCTURE = "structure"
    CONTENT = "content"


class Depth(StrEnum):
    """How deep a verification looks; each depth includes those before it."""

    IDENTITY = "identity"
    STRUCTURE = "structure"
    CONTENT = "content"

    @property
    def tiers(self) -> tuple[Tier, ...]:
        """What it demands.

        >>> [str(tier) for tier in Depth.STRUCTURE.tiers]
        ['identity', 'structure']
        """
        every = tuple(Tier)
        return every[: every.index(Tier(self)) + 1]


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One check of the restored cluster: what was found, against what was expected."""

    check: str
    status: Status
    found: str
    tier: Tier = Tier.IDENTITY
    expected: str = ""
    meaning: str = ""

    @property
    def passed(self) -> bool:
        """Whether this check was made and is good."""
        return self.status is Status.PASSED

    @property
    def spoils(self) -> bool:
        """Whether nothing is proven with this finding: it is bad, or was demanded and not made."""
        return self.status in {Status.FAILED, Status.NOT_CHECKED}


def proven(findings: Iterable[Finding], tiers: Iterable[Tier]) -> bool:
    """Whether every demanded tier was looked at, with nothing in it that spoils the verdict."""
    by_tier: dict[Tier, list[Finding]] = {}
    for finding in findings:
        by_tier.setdefault(finding.tier, []).append(finding)
    return all(_sound(by_tier.get(tier, [])) for tier in tiers)


def _sound(findings: list[Finding]) -> bool:
    return any(finding.passed for finding in findings) and not any(finding.spoils for finding in findings)


def compare(
    check: str,
    found: str,
    expected: str,
    *,
    bad: str,
    good: bool | None = None,
    tier: Tier = Tier.IDENTITY,
) -> Finding:
    """Passed where `good`, or else where found is what was expected; `bad` says what a failure means."""
    passed = found == expected if good is None else good
    status = Status.PASSED if passed else Status.FAILED
    return Finding(
        check=check, tier=tier, status=status, found=found, expected=expected, meaning="" if passed else bad
    )  # fmt: skip
