from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from kanfunc.domain.codec import encode
from kanfunc.domain.errors import PlatformFailed
from kanfunc.domain.lsn import Lsn
from kanfunc.domain.mark import Inscription, Mark, VerifiedMark
from kanfunc.domain.restoration import (
    Adopted,
    Finding,
    PrimaryFacts,
    PromotionFacts,
    Status,
    Switch,
    adopted_of,
    continue_from,
    earlier_verdict,
    identify,
    no_mark,
    promoted_here,
    switch_from,
)
from kanfunc.domain.world import Cluster, Volume
from tests.builders import NOW, claim_manifest, healthy, proof
from tests.builders import cluster as read_cluster

END_OF_RECOVERY = (
    "rmgr: XLOG        len (rec/tot):     42/    42, tx:          0, lsn: 0/098E4300, prev 0/098E42C8, "
    "desc: END_OF_RECOVERY tli 2; prev tli 1; time 2026-11-23 09:10:01.250000 UTC"
)
EARLIER_RECOVERY = END_OF_RECOVERY.replace("09:10:01", "08:10:01")
RESTORED = "uid-of-the-restored"
TOLERANCE = timedelta(seconds=30)


def cluster() -> Cluster:
    """The restored Cluster: same name, another incarnation."""
    return replace(read_cluster(), uid=RESTORED)


def mark(**changes: Any) -> Mark:
    values: dict[str, Any] = {
        "id": "fence-1", "cluster_uid": "uid-cluster", "namespace": "prod", "cluster": "pg",
        "instance": "pg-2", "proof": proof(), "written": NOW, "kanfunc": "0.1.0",
    }  # fmt: skip
    return Mark(**{**values, **changes})


def volume(name: str, role: str = "PG_DATA") -> Volume:
    """A restored claim, made at 09:10:00."""
    from_manifest = Volume.from_manifest(claim_manifest(name, "pg-2", role=role), read_cluster().flavour)
    return replace(from_manifest, created=NOW + timedelta(minutes=10))


DATA, WAL = volume("pg-2"), volume("pg-2-wal", "PG_WAL")
INSTANCE = healthy().world().instances[1]


def verdict(**changes: Any) -> VerifiedMark:
    values: dict[str, Any] = {
        "mark": mark(), "cluster_uid": RESTORED, "volumes": {v.name: v.uid for v in (DATA, WAL)},
        "promoted": NOW + timedelta(minutes=11), "verified": NOW + timedelta(minutes=12),
    }  # fmt: skip
    return VerifiedMark(**{**values, **changes})


def adopt(data: Inscription, wal: Inscription) -> Adopted | None:
    return adopted_of(cluster(), INSTANCE, (DATA, WAL), {"pg-2": data, "pg-2-wal": wal})


def marked(value: Mark | None = None) -> Inscription:
    return Inscription(mark=encode(value or mark()))


def verified(value: VerifiedMark | None = None) -> Inscription:
    return Inscription(verdict=encode(value or verdict()))


def facts(**changes: Any) -> PrimaryFacts:
    values: dict[str, Any] = {
        "system_identifier": "7711300797202939188", "timeline": 2, "xid_status": "committed",
        "history": "1\t0/98E4300\tno recovery target specified\n",
    }  # fmt: skip
    return PrimaryFacts(**{**values, **changes})


def bad(findings: list[Finding]) -> dict[str, str]:
    """What each check that did not pass means."""
    return {finding.check: finding.meaning for finding in findings if not finding.passed}


# ---- whose volumes carry the mark


def test_same_mark_on_all_volumes_is_adopted() -> None:
    assert adopt(marked(), marked()) == Adopted(INSTANCE, (DATA, WAL), mark(), None)


@pytest.mark.parametrize(
    ("data", "wal"),
    [
        (Inscription(), Inscription()),
        (marked(), Inscription()),
        (Inscription(), marked()),
        (marked(), marked(mark(id="fence-2"))),
        (marked(), Inscription(mark="{}")),
        (Inscription(mark="edited"), Inscription(mark="edited")),
        (verified(verdict(cluster_uid="uid-of-yet-another")),) * 2,
        (marked(), verified(verdict(cluster_uid="uid-of-yet-another"))),
        (verified(), Inscription()),
    ],
    ids=["none", "data only", "WAL only", "different", "one unreadable", "edited",
         "verdict of another incarnation", "mark and verdict of another incarnation", "verdict on one only"],
)  # fmt: skip
def test_anything_less_is_not(data: Inscription, wal: Inscription) -> None:
    assert adopt(data, wal) is None


def test_instance_without_volumes_carries_nothing() -> None:
    assert adopted_of(cluster(), INSTANCE, (), {}) is None


def test_verdict_of_this_incarnation_on_these_volumes_is_quoted() -> None:
    adopted = adopt(verified(), verified())
    assert adopted is not None
    assert adopted.earlier == verdict()
    assert adopted.mark == mark()


def test_verdict_on_volumes_that_were_exchanged_is_judged_anew() -> None:
    moved = verified(verdict(volumes={"pg-2": "another", "pg-2-wal": WAL.uid}))
    adopted = adopt(moved, moved)
    assert adopted is not None
    assert adopted.earlier is None


@pytest.mark.parametrize(
    ("data", "wal"),
    [
        (Inscription(mark=encode(mark()), verdict=encode(verdict())), marked()),
        (verified(), marked()),
        (marked(), verified()),
    ],
    ids=["verdict written on one", "mark gone from data", "mark gone from WAL"],
)
def test_run_that_was_killed_half_way_is_done_again(data: Inscription, wal: Inscription) -> None:
    adopted = adopt(data, wal)
    assert adopted is not None
    assert (adopted.mark, adopted.earlier) == (mark(), None)


def test_run_that_was_killed_before_erasing_has_given_its_verdict() -> None:
    both = Inscription(mark=encode(mark()), verdict=encode(verdict()))
    adopted = adopt(both, verified())
    assert adopted is not None
    assert adopted.earlier == verdict()


def test_volume_of_pgdata_is_found_by_its_role() -> None:
    assert Adopted(INSTANCE, (WAL, DATA), mark(), None).data_volume == DATA
    assert Adopted(INSTANCE, (WAL,), mark(), None).data_volume == WAL


# ---- no mark


def test_copy_without_a_mark_was_not_cold() -> None:
    finding = no_mark([Inscription(), Inscription()], facts(system_identifier="7"), [DATA], TOLERANCE)
    assert finding.status is Status.FAILED
    assert "was not a cold backup" in finding.meaning


def test_marks_on_some_volumes_are_told_apart_from_none() -> None:
    finding = no_mark([marked(), Inscription()], facts(), [DATA], TOLERANCE)
    assert "some volumes only" in finding.found
    assert "not of one fence" in finding.meaning


@pytest.mark.parametrize(("seconds", "fresh"), [(1, True), (-30, True), (-31, False)])
def test_new_empty_database_is_told_by_the_time_in_its_identifier(seconds: int, *, fresh: bool) -> None:
    initialised = int(DATA.created.timestamp()) + seconds
    now = facts(system_identifier=str(initialised << 32 | 188), timeline=1, history="")
    meaning = no_mark([Inscription()], now, [DATA], TOLERANCE).meaning
    assert ("new, empty database" in meaning) is fresh
    assert ("annotations" in meaning) is fresh


# ---- is it the right mark


def adopted_with(value: Mark) -> Adopted:
    return Adopted(INSTANCE, (DATA, WAL), value, None)


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
