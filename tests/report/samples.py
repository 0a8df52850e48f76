"""Reports to look at: one that is proven, and one in which everything is bad that can be."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from kanfunc.domain.codec import encode
from kanfunc.domain.finding import Depth, Finding, Status, Tier, proven
from kanfunc.domain.lsn import Lsn
from kanfunc.domain.report import Evidence, Report, TierTime
from tests.builders import NOW
from tests.domain.restored import mark

HOSTILE = "</script><img src=x onerror=alert(1)>{{ 7 * 7 }}"
RESTORED = NOW + timedelta(days=2)


def finding(check: str, tier: Tier, status: Status = Status.PASSED, **more: str) -> Finding:
    return Finding(check=check, tier=tier, status=status, **{"found": "as expected", **more})


def report(findings: Iterable[Finding], **changes: Any) -> Report:
    value, made = mark(), tuple(findings)
    values: dict[str, Any] = {
        "namespace": "edb", "cluster": "cluster-example", "cluster_uid": "uid-of-the-restored",
        "depth": Depth.CONTENT, "checked": RESTORED + timedelta(minutes=4), "kanfunc": "0.1.0",
        "findings": made, "proven": proven(made, Depth.CONTENT.tiers), "instance": "pg-2", "mark": value,
        "restored": RESTORED, "continued": RESTORED + timedelta(minutes=1),
        "ended_at": value.proof.end_of_wal,
        "postgresql": "15.18", "ran_by": "kanfunc on verify-edb-1", "foreign_fences": (),
        "times": (TierTime(tier=Tier.IDENTITY, seconds=0.8), TierTime(tier=Tier.STRUCTURE, seconds=312.5)),
        "evidence": (Evidence.of("mark", encode(value)), Evidence(name="checks", sha256="ab" * 32)),
    }  # fmt: skip
    return Report(**{**values, **changes}).sealed()


def good() -> Report:
    warned = finding("archive", Tier.IDENTITY, Status.WARNING, meaning="it is the source's")
    return report([*(finding(f"{tier} is sound", tier) for tier in Tier), warned])


def bad() -> Report:
    words = {"found": HOSTILE * 5, "expected": HOSTILE, "meaning": HOSTILE}
    statuses = (Status.FAILED, Status.NOT_CHECKED)
    made = [finding(f"{status} {HOSTILE}", Tier.CONTENT, status, **words) for status in statuses]
    return report(
        [finding("mark", Tier.IDENTITY), *made],
        ran_by=HOSTILE,
        instance=HOSTILE,
        ended_at=Lsn(mark().proof.end_of_wal + 4096),
        evidence=(Evidence.of(HOSTILE, HOSTILE),),
        foreign_fences=(HOSTILE,),
    )
