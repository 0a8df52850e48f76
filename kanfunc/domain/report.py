"""What a verification found: one model for text and JSON."""

from datetime import datetime

import msgspec

from kanfunc.domain.errors import Unproven
from kanfunc.domain.finding import Finding, Status
from kanfunc.domain.mark import Mark


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of `verify-restore` for one cluster. `proven` only if every finding passed."""

    namespace: str
    cluster: str
    cluster_uid: str
    depth: str
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
        reasons = [f"{f.check}: {f.meaning or f.found}" for f in self.findings if not f.passed]
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
        lines = [head, *(_line(finding) for finding in self.findings)]
        if self.foreign_fences:
            lines.append(f"  note: still fenced by somebody else: {', '.join(self.foreign_fences)}")
        lines.append("  not checked at this depth: structure of tables and indexes, content")
        return "\n".join(lines)


def _line(finding: Finding) -> str:
    sign = {Status.PASSED: "ok  ", Status.FAILED: "BAD ", Status.NOT_CHECKED: "n/a "}[finding.status]
    text = f"  {sign} {finding.check}: {finding.found}"
    if finding.status is Status.PASSED:
        return text
    return text + f"\n         expected: {finding.expected}\n         meaning: {finding.meaning}"
