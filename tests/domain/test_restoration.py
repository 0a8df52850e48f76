from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from kanfunc.domain.continuation import (
    earlier_verdict,
    end_point,
    promoted_here,
    resumed_here,
    same_database,
    stopped_point,
)
from kanfunc.domain.errors import PlatformFailed
from kanfunc.domain.finding import Finding, Status
from kanfunc.domain.lsn import Lsn
from kanfunc.domain.record import Proof
from kanfunc.domain.restoration import identify
from kanfunc.domain.timeline import PrimaryFacts, PromotionFacts, ResumptionFacts, Switch, switch_from
from tests.builders import NOW, proof
from tests.domain.restored import (
    DATA,
    RESTORED,
    TOLERANCE,
    adopted_with,
    cluster,
    facts,
    mark,
    verdict,
)

END_OF_RECOVERY = (
    "rmgr: XLOG        len (rec/tot):     42/    42, tx:          0, lsn: 0/098E4300, prev 0/098E42C8, "
    "desc: END_OF_RECOVERY tli 2; prev tli 1; time 2026-11-23 09:10:01.250000 UTC"
)
EARLIER_RECOVERY = END_OF_RECOVERY.replace("09:10:01", "08:10:01")


def bad(findings: list[Finding]) -> dict[str, str]:
    """What each check that did not pass means."""
    return {finding.check: finding.meaning for finding in findings if not finding.passed}


# ---- is it the right mark


@pytest.mark.parametrize("expected", [[], ["fence-1"], ["fence-1", "fence-1"]])
def test_mark_of_the_expected_fence_is_good(expected: list[str]) -> None:
    assert bad(identify(adopted_with(mark()), cluster(), expected)) == {}


@pytest.mark.parametrize("expected", [["fence-2"], ["fence-1", "fence-2"]])
def test_mark_of_another_fence_is_bad(expected: list[str]) -> None:
    findings = identify(adopted_with(mark()), cluster(), expected)
    assert bad(findings) == {"mark": "the restored volumes are those of another fence"}
    assert "fence-2" in findings[0].expected


def test_mark_of_another_cluster_is_bad() -> None:
    assert set(bad(identify(adopted_with(mark(cluster="other")), cluster(), []))) == {"cluster"}


def test_mark_of_another_namespace_is_good() -> None:
    assert bad(identify(adopted_with(mark(namespace="elsewhere")), cluster(), [])) == {}


def test_mark_that_this_very_cluster_wrote_is_bad() -> None:
    found = bad(identify(adopted_with(mark(cluster_uid=RESTORED)), cluster(), []))
    assert "nothing was restored since" in found["incarnation"]


# ---- does it continue the fence point


def continue_from(proof: Proof, facts: PrimaryFacts) -> list[Finding]:
    return [*same_database(proof, facts), end_point(proof, facts)]


def test_promoted_exactly_at_the_fence_point_is_good() -> None:
    assert bad(continue_from(proof(), facts())) == {}


@pytest.mark.parametrize(
    ("changes", "check", "meaning"),
    [
        ({"system_identifier": "8"}, "system identifier", "another database"),
        ({"history": "1\t0/98E42F8\tx\n"}, "end point", "is missing from the restore"),
        ({"history": "1\t0/A000000\tx\n"}, "end point", "found more WAL"),
        ({"history": "", "timeline": 1}, "end point", "not provable"),
        ({"history": "2\t0/98E4300\tx\n", "timeline": 3}, "end point", "not provable"),
        ({"xid_status": "aborted"}, "marked transaction", "not in this database"),
        ({"xid_status": "in progress"}, "marked transaction", "not in this database"),
        ({"xid_status": "in the future"}, "marked transaction", "not in this database"),
        ({"xid_status": None}, "marked transaction", "not in this database"),
    ],
)
def test_each_finding_can_be_bad(changes: dict[str, Any], check: str, meaning: str) -> None:
    found = bad(continue_from(proof(), facts(**changes)))
    assert set(found) == {check}
    assert meaning in found[check]


def test_later_promotions_do_not_change_the_end_point() -> None:
    history = "1\t0/98E4300\tno recovery target specified\n\n2\t0/B000000\tswitchover\n"
    assert bad(continue_from(proof(), facts(timeline=3, history=history))) == {}


# ---- the timeline's history


@pytest.mark.parametrize(
    ("history", "timeline", "switch"),
    [
        ("", 1, None),
        ("1\t0/98E4300\tno recovery target specified\n", 2, Switch(Lsn(0x98E4300), 2)),
        ("# a comment\n\n  1\t0/98E4300\n2\t0/A000000\tx y\n", 5, Switch(Lsn(0x98E4300), 2)),
        ("1\t0/98E4300\tx\n3\t0/A000000\tx\n", 4, Switch(Lsn(0x98E4300), 3)),
        ("2\t0/98E4300\tx\n", 3, None),
    ],
)
def test_history_is_read(history: str, timeline: int, switch: Switch | None) -> None:
    assert switch_from(1, facts(history=history, timeline=timeline)) == switch


@pytest.mark.parametrize("history", ["1\n", "1x\t0/0\n", "1\tnowhere\n", "1 0/98E4300/1\n"])
def test_unreadable_history_is_a_failure(history: str) -> None:
    with pytest.raises(PlatformFailed):
        switch_from(1, facts(history=history))


# ---- when was it promoted


def test_time_of_the_record_goes_before_that_of_the_file() -> None:
    at = datetime(2026, 11, 23, 9, 10, 1, 250000, tzinfo=UTC)
    assert PromotionFacts(END_OF_RECOVERY, NOW).at == at
    assert PromotionFacts("", NOW).at == NOW
    assert PromotionFacts("rmgr: XLOG desc: CHECKPOINT_SHUTDOWN", NOW).at == NOW
    assert PromotionFacts("", None).at is None


@pytest.mark.parametrize(
    ("traces", "status"),
    [
        (PromotionFacts(END_OF_RECOVERY, None), Status.PASSED),
        (PromotionFacts("", DATA.created), Status.PASSED),
        (PromotionFacts("", DATA.created - TOLERANCE), Status.PASSED),
        (PromotionFacts("", DATA.created - TOLERANCE - timedelta(seconds=1)), Status.FAILED),
        (PromotionFacts(EARLIER_RECOVERY, NOW + timedelta(days=1)), Status.FAILED),
        (PromotionFacts("", None), Status.FAILED),
    ],
    ids=["record", "file", "within tolerance", "too old", "record too old, file touched", "no trace"],
)  # fmt: skip
def test_promotion_must_be_younger_than_the_volume(traces: PromotionFacts, status: Status) -> None:
    finding = promoted_here(adopted_with(mark()), traces, TOLERANCE)
    assert finding.status is status
    assert "30 s" in finding.expected
    assert bool(finding.meaning) == (status is Status.FAILED)


def test_earlier_verdict_is_quoted_with_its_times() -> None:
    finding = earlier_verdict(verdict())
    assert finding.passed
    assert "2026-11-23 09:12:00Z" in finding.found
    assert "2026-11-23 09:11:00Z" in finding.found


# ---- a primary that was fenced

# pg_waldump 15 on a restored copy of a fenced primary
CHECKPOINT = (
    "rmgr: XLOG        len (rec/tot):    114/   114, tx:          0, lsn: 0/03000028, prev 0/02024238, "
    "desc: CHECKPOINT_SHUTDOWN redo 0/3000028; tli 1; prev tli 1; fpw true; xid 0:731; oid 16391; multi 1; "
    "offset 0; oldest xid 716 in DB 1; oldest multi 1 in DB 1; oldest/newest commit timestamp xid: 0/0; "
    "oldest running xid 0; shutdown"
)
COMMIT = (
    "rmgr: Transaction len (rec/tot):     46/    46, tx:        731, lsn: 0/030004A8, prev 0/03000468, "
    "desc: COMMIT 2026-11-23 09:10:45.125000 UTC"
)
PREPARED = COMMIT.replace("COMMIT 2026", "COMMIT_PREPARED 730: 2026")
COLD = proof(shutdown_checkpoint=Lsn(0x3000028), end_of_wal=Lsn(0x30000A0))


@pytest.mark.parametrize(
    ("checkpoint", "changes", "status"),
    [
        (CHECKPOINT, {"timeline": 1, "history": ""}, Status.PASSED),
        (CHECKPOINT, {"history": "1\t0/4000000\tswitchover\n"}, Status.PASSED),
        (CHECKPOINT, {"history": "1\t0/3000028\tx\n"}, Status.FAILED),
        (CHECKPOINT, {"timeline": 3, "history": "2\t0/4000000\tx\n"}, Status.FAILED),
        ("", {"timeline": 1, "history": ""}, Status.FAILED),
        (CHECKPOINT.replace("SHUTDOWN", "ONLINE"), {"timeline": 1, "history": ""}, Status.FAILED),
        (CHECKPOINT.replace("3000028", "3000128"), {"timeline": 1, "history": ""}, Status.FAILED),
    ],
    ids=["goes on", "switched over later", "left before", "another line", "recycled", "online", "elsewhere"],
)
def test_shutdown_checkpoint_must_stand(checkpoint: str, changes: dict[str, Any], status: Status) -> None:
    finding = stopped_point(COLD, facts(**changes), ResumptionFacts(checkpoint, COMMIT))
    assert finding.status is status
    assert "not provable" in finding.meaning or status is Status.PASSED


@pytest.mark.parametrize(
    ("commit", "status"),
    [
        (COMMIT, Status.PASSED),
        (PREPARED, Status.PASSED),
        (COMMIT.replace("COMMIT", "ABORT"), Status.PASSED),
        (COMMIT.replace("09:10:45", "09:09:29"), Status.FAILED),
        ("", Status.FAILED),
        (COMMIT.replace("COMMIT 2026", "ASSIGNMENT 2026"), Status.FAILED),
    ],
)
def test_first_commit_must_be_younger_than_the_volume(commit: str, status: Status) -> None:
    finding = resumed_here(adopted_with(mark(proof=COLD)), ResumptionFacts(CHECKPOINT, commit), TOLERANCE)
    assert finding.status is status
    assert bool(finding.meaning) == (status is Status.FAILED)
