"""What a verification found: one model for text and JSON."""

from datetime import datetime

import msgspec

from kanfunc.domain.errors import Unproven
from kanfunc.domain.finding import Depth, Finding, Status, Tier
from kanfunc.domain.mark import Mark


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of `verify-restore` for one cluster. `proven`: all that the depth demands is good."""

    namespace: str
    cluster: str
    cluster_uid: str
    depth: Depth
    checked: datetime
    kanfunc: str
    findings: tuple[Finding, ...]
    proven: bool
    instance: str | None = None
    mark: Mark | None = None
    continued: datetime | None = None
    """When the database went on from the fence point in this restore, by the clock of its node."""
    foreign_fences: tuple[str, ...] = ()
    """Entries of the fence list that are not ours and still stand."""

    def failure(self) -> Unproven:
        """What a report that is not proven comes to."""
        reasons = [f"{f.check}: {f.meaning or f.found}" for f in self.findings if f.spoils]
        reasons += [f"{tier}: not looked at" for tier in self.depth.tiers if not self._of(tier)]
        return Unproven(
            f"the restore of {self.namespace}/{self.cluster} is not proven: " + "; ".join(reasons),
            expected="every finding passed",
            left="the restored cluster",
            remedy="do not put it to use as the database that was backed up; see each finding's meaning",
        )

    def text(self) -> str:
        """For people: verdict first, then each finding, then what was not looked at."""
        head = f"{self.namespace}/{self.cluster}: {'PROVEN' if self.proven else 'NOT PROVEN'}"
        head += (
            f", fence {self.mark.id} of {self.mark.proof.bound_at:%Y-%m-%d %H:%M:%SZ}" if self.mark else ""
        )
        lines = [head, *(line for tier in self.depth.tiers for line in self._tier_lines(tier))]
        if self.foreign_fences:
            lines.append(f"  note: still fenced by somebody else: {', '.join(self.foreign_fences)}")
        if unseen := [what for tier, what in _LOOKS_AT.items() if tier not in self.depth.tiers]:
            lines.append(f"  not checked at this depth: {', '.join(unseen)}")
        return "\n".join(lines)

    def _of(self, tier: Tier) -> list[Finding]:
        return [finding for finding in self.findings if finding.tier is tier]

    def _tier_lines(self, tier: Tier) -> list[str]:
        found = [_line(finding) for finding in self._of(tier)]
        return found or [f"  n/a  {tier}: not looked at"]


_LOOKS_AT = {Tier.STRUCTURE: "structure of tables and indexes", Tier.CONTENT: "content"}


_SIGNS = {Status.PASSED: "ok  ", Status.FAILED: "BAD ", Status.NOT_CHECKED: "n/a ", Status.WARNING: "warn"}


def _line(finding: Finding) -> str:
    sign = _SIGNS[finding.status]
    text = f"  {sign} {finding.check}: {finding.found}"
    if finding.status is Status.PASSED:
        return text
    return text + f"\n         expected: {finding.expected}\n         meaning: {finding.meaning}"
