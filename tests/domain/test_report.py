import json
from typing import Any

from msgspec.structs import replace

from kanfunc.domain.codec import decode, encode
from kanfunc.domain.finding import Depth, Finding, Status, Tier, proven
from kanfunc.domain.report import Report
from tests.builders import NOW
from tests.domain.restored import mark

GOOD = Finding(check="mark", status=Status.PASSED, found="fence-1", expected="fence-1")
BAD = Finding(check="end point", status=Status.FAILED, found="0/1", expected="0/2", meaning="WAL is missing")
OPEN = Finding(check="promoted", status=Status.NOT_CHECKED, found="none", expected="x", meaning="see there")


def report(*findings: Finding, **changes: Any) -> Report:
    values: dict[str, Any] = {
        "namespace": "prod", "cluster": "pg", "cluster_uid": "uid", "depth": Depth.IDENTITY, "checked": NOW,
        "kanfunc": "0.1.0", "findings": findings, "proven": proven(findings, Depth.IDENTITY.tiers),
    }  # fmt: skip
    return Report(**{**values, **changes})


def test_good_report_says_of_which_fence_and_what_it_did_not_look_at() -> None:
    text = report(GOOD, mark=mark()).text().splitlines()
    assert text[0] == "prod/pg: PROVEN, fence fence-1 of 2026-11-23 09:00:00Z"
    assert text[1].split() == ["ok", "mark:", "fence-1"]
    assert text[-1].strip().startswith("not checked at this depth")
    assert len(text) == 3


def test_bad_report_says_expected_and_meaning() -> None:
    lines = [line.strip() for line in report(GOOD, BAD, OPEN).text().splitlines()]
    assert lines[0] == "prod/pg: NOT PROVEN"
    assert lines[2:5] == ["BAD  end point: 0/1", "expected: 0/2", "meaning: WAL is missing"]
    assert lines[5:8] == ["n/a  promoted: none", "expected: x", "meaning: see there"]


def test_fence_of_somebody_else_is_noted() -> None:
    assert "still fenced by somebody else: pg-3, *" in report(GOOD, foreign_fences=("pg-3", "*")).text()
    assert "fenced" not in report(GOOD).text()


def test_json_holds_everything() -> None:
    whole = report(GOOD, BAD, mark=mark(), instance="pg-2", continued=NOW)
    assert decode(encode(whole), Report) == whole
    assert json.loads(encode(whole))["findings"][1]["status"] == "failed"


def test_every_demanded_tier_must_have_been_looked_at() -> None:
    deep = replace(GOOD, tier=Tier.CONTENT)
    assert proven([GOOD], Depth.IDENTITY.tiers)
    assert not proven([GOOD, deep], Depth.CONTENT.tiers)
    text = report(GOOD, deep, depth=Depth.CONTENT, proven=False)
    assert "n/a  structure: not looked at" in text.text()
    assert "structure: not looked at" in str(text.failure())


def test_warning_is_told_and_spoils_nothing() -> None:
    warned = replace(BAD, status=Status.WARNING)
    assert proven([GOOD, warned], Depth.IDENTITY.tiers)
    assert not proven([warned], Depth.IDENTITY.tiers)
    assert "warn end point: 0/1" in report(GOOD, warned).text()


def test_check_that_was_not_made_has_not_passed() -> None:
    assert not OPEN.passed
    assert not report(GOOD, OPEN).proven
