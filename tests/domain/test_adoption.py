import pytest

from kanfunc.domain.codec import encode
from kanfunc.domain.finding import Status
from kanfunc.domain.mark import Inscription
from kanfunc.domain.restoration import Adopted, adopted_of, no_mark
from tests.domain.restored import (
    DATA,
    INSTANCE,
    TOLERANCE,
    WAL,
    adopt,
    cluster,
    facts,
    mark,
    marked,
    verdict,
    verified,
)

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
