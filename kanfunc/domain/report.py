"""What a verification found: one model for text, JSON and HTML; docs/report.schema.json is its schema."""

from hashlib import sha256
from typing import Any

import msgspec

from kanfunc.domain.codec import Instant, Malformed, decode, encode, plain
from kanfunc.domain.errors import Unproven
from kanfunc.domain.finding import Depth, Finding, Status, Tier
from kanfunc.domain.lsn import Lsn
from kanfunc.domain.mark import Mark

LOOKS_AT = {
    Tier.IDENTITY: "the fence point and its continuation",
    Tier.STRUCTURE: "tables, indexes and catalogs",
    Tier.CONTENT: "rows, extensions, roles and logins",
}


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """What was judged: its text, or (where that is kept elsewhere) only its hash."""

    name: str
    sha256: str
    text: str = ""

    @classmethod
    def of(cls, name: str, text: str) -> "Evidence":
        """With its text."""
        return cls(name=name, sha256=sha256(text.encode()).hexdigest(), text=text)

    @property
    def intact(self) -> bool:
        """Whether text and hash belong together; there is nothing to say where the text is elsewhere."""
        return not self.text or self == Evidence.of(self.name, self.text)


class TierTime(msgspec.Struct, frozen=True, kw_only=True):
    """How long one tier took."""

    tier: Tier
    seconds: float


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of `verify-restore` for one cluster. `proven`: all that the depth demands is good."""

    namespace: str
    cluster: str
    cluster_uid: str
    depth: Depth
    checked: Instant
    """When it began, by the API server's clock."""
    kanfunc: str
    findings: tuple[Finding, ...]
    proven: bool
    instance: str | None = None
    mark: Mark | None = None
    continued: Instant | None = None
    """When the database went on from the fence point in this restore, by the clock of its node."""
    restored: Instant | None = None
    """When the adopted volume of PGDATA was made, by the API server's clock."""
    ended_at: Lsn | None = None
    """Where the restored database has left the fenced timeline."""
    postgresql: str = ""
    """Version of the restored server."""
    ran_by: str = ""
    times: tuple[TierTime, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    foreign_fences: tuple[str, ...] = ()
    """Entries of the fence list that are not ours and still stand."""
    sha256: str = ""
    """Of this object as compact JSON with "" in this place. It guards against accidents: whoever can change
    the file can change it, too, so keep it elsewhere as well (it is in the log)."""

    def sealed(self) -> "Report":
        """The same, with its hash."""
        return msgspec.structs.replace(self, sha256=digest_of(encode(self)))

    def failure(self) -> Unproven:
        """What a report that is not proven comes to."""
        reasons = [f"{f.check}: {f.meaning or f.found}" for f in self.findings if f.spoils]
        reasons += [f"{tier}: not looked at" for tier in self.depth.tiers if not self.of(tier)]
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
        lines = [plain(head), *(line for tier in self.depth.tiers for line in self._tier_lines(tier))]
        if self.foreign_fences:
            lines.append(f"  note: still fenced by somebody else: {plain(', '.join(self.foreign_fences))}")
        if self.unseen:
            lines.append(f"  not checked at this depth: {', '.join(self.unseen)}")
        return "\n".join(lines)

    @property
    def unseen(self) -> list[str]:
        """What was not looked at at this depth."""
        return [what for tier, what in LOOKS_AT.items() if tier not in self.depth.tiers]

    def of(self, tier: Tier) -> list[Finding]:
        """The findings of that tier."""
        return [finding for finding in self.findings if finding.tier is tier]

    def _tier_lines(self, tier: Tier) -> list[str]:
        found = [_line(finding) for finding in self.of(tier)]
        return found or [f"  n/a  {tier}: not looked at"]


def digest_of(text: str) -> str:
    """The hash that a report's JSON must carry, whichever version wrote it; raises Malformed."""
    try:
        whole = msgspec.json.decode(text, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise Malformed(str(error)) from error
    return sha256(msgspec.json.encode(whole | {"sha256": ""})).hexdigest()


def faults(report: Report, text: str) -> list[str]:
    """What of a report's JSON was changed since it was written."""
    changed = [] if report.sha256 == digest_of(text) else ["the report does not have the hash that it names"]
    spoiled = (each.name for each in report.evidence if not each.intact)
    return changed + [f"evidence {name} does not have the hash that is named with it" for name in spoiled]


def read_report(text: str) -> Report:
    """A report that was written as JSON; raises Malformed."""
    return decode(text, Report)


_SIGNS = {Status.PASSED: "ok  ", Status.FAILED: "BAD ", Status.NOT_CHECKED: "n/a ", Status.WARNING: "warn"}


def _line(finding: Finding) -> str:
    lines = [f"  {_SIGNS[finding.status]} {finding.check}: {finding.found}"]
    if finding.status is not Status.PASSED:
        lines += [f"         expected: {finding.expected}", f"         meaning: {finding.meaning}"]
    return "\n".join(map(plain, lines))
