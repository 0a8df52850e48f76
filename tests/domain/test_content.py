from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kanfunc.domain.checks import Asking, ExtensionsCheck, FreshnessCheck, QueryCheck, TableCheck
from kanfunc.domain.content import inquiry
from kanfunc.domain.finding import Finding, Status, Tier
from kanfunc.domain.inquiry import Answer, Question
from tests.builders import NOW

TOLERANCE = timedelta(seconds=30)
FENCED = NOW
FINGERPRINT = "0" * 64


def check(kind: str = "query", **fields: Any) -> Asking:
    made: Asking = msgspec.convert({"name": "it", "kind": kind, **fields}, Asking)
    return made


def query(**expect: Any) -> Asking:
    return check(query="SELECT", expect=expect)


def first(made: Asking) -> Question:
    return next(inquiry(made, FENCED, TOLERANCE))


def answered(made: Asking, *answers: Answer, fenced: datetime | None = FENCED) -> Finding:
    """What the check comes to, when each of its questions has been answered."""
    asking = inquiry(made, fenced, TOLERANCE)
    next(asking)
    *others, last = answers
    for answer in others:
        asking.send(answer)
    with pytest.raises(StopIteration) as end:
        asking.send(last)
    finding: Finding = end.value.value
    assert finding.tier is Tier.CONTENT
    return finding


def found(made: Asking, *rows: tuple[str | None, ...], more: bool = False) -> Finding:
    return answered(made, Answer(rows, more=more))


@pytest.mark.parametrize(
    ("expect", "value", "good"),
    [
        ({"equals": "Kasten"}, "Kasten", True),
        ({"equals": "Kasten"}, "kasten", False),
        ({"equals": "Kasten"}, None, False),
        ({"equals": None}, None, True),
        ({"equals": None}, "", False),
        ({"equals": True}, "t", True),
        ({"equals": True}, "1", False),
        ({"equals": 1}, "1.00", True),
        ({"equals": 1}, "t", False),
        ({"equals": 0.1}, "0.10", True),
        ({"equals": "1"}, "1.00", False),
        ({"at_least": 3}, "3", True),
        ({"at_least": 3}, "2.999", False),
        ({"at_least": 3}, "NaN", False),
        ({"at_least": 3}, "Infinity", False),
        ({"at_least": 3}, None, False),
        ({"between": [1, 2]}, "2", True),
        ({"between": [1, 2]}, "2.1", False),
        ({"between": [1, 2]}, "many", False),
        ({"matches": "K.*n"}, "Kasten", True),
        ({"matches": "Kast"}, "Kasten", False),
        ({"matches": ".*"}, None, False),
        ({"matches": ".*"}, "x" * 20_000, False),
    ],
)
def test_value_meets_what_is_expected(expect: dict[str, Any], value: str | None, good: bool) -> None:  # noqa: FBT001
    assert found(query(**expect), (value,)).passed is good


@pytest.mark.parametrize(
    ("rows", "more", "what"),
    [((), False, "no row"), ((("1",),), True, "more than one row"), ((("1", "2"),), False, "2 columns")],
)
def test_query_must_find_one_value(rows: Any, more: bool, what: str) -> None:  # noqa: FBT001
    finding = found(query(equals=1), *rows, more=more)
    assert (finding.status, finding.found) == (Status.FAILED, what)


def test_rows_are_all_of_them_in_their_order() -> None:
    wanted = query(rows=[[1, "Kasten"], [2, None]])
    assert first(wanted).limit == 2
    one, two = ("1", "Kasten"), ("2", None)
    assert found(wanted, one, two).passed
    for rows in ([two, one], [one], [one, one], [one, ("2",)]):
        assert found(wanted, *rows).status is Status.FAILED
    assert found(wanted, one, two, more=True).status is Status.FAILED
    assert found(query(rows=[])).passed


def test_long_values_are_cut_in_the_report() -> None:
    assert len(found(query(equals="x"), ("y" * 10_000,)).found) < 300


FRESH = check("freshness", query="SELECT", max_age="1h")


@pytest.mark.parametrize(
    ("value", "status"),
    [
        ("2026-11-23 08:30:00+00", Status.PASSED),
        ("2026-11-23 08:30:00.123", Status.PASSED),
        ("2026-11-23 10:30:00+02", Status.PASSED),
        ("2026-11-23 07:59:00+00", Status.FAILED),
        ("2026-11-23", Status.FAILED),
        ("2026-11-23 09:00:20+00", Status.PASSED),
        ("2026-11-23 09:01:00+00", Status.NOT_CHECKED),
        ("infinity", Status.FAILED),
        (None, Status.FAILED),
    ],
)
def test_freshness_is_measured_at_the_fence(value: str | None, status: Status) -> None:
    """Fenced at 09:00. What came later is of the restored cluster, and says nothing of the backup."""
    assert found(FRESH, (value,)).status is status


def test_freshness_without_a_mark_is_not_checked() -> None:
    answer = Answer((("2026-11-23 08:30:00+00",),))
    assert answered(FRESH, answer, fenced=None).status is Status.NOT_CHECKED
    assert isinstance(FRESH, FreshnessCheck)


def test_dropped_extension_is_named() -> None:
    made = check("extensions", required=["pgcrypto", "citext"])
    assert isinstance(made, ExtensionsCheck)
    assert first(made).parameters == (("pgcrypto", "citext"),)
    assert found(made).passed
    finding = found(made, ("citext",))
    assert (finding.status, finding.found) == (Status.FAILED, "without citext")


TABLE = ("r", "columns", "0", None, None, "16384")
"""What has the name: its kind, a hash of its columns, tables that inherit from it, foreign ones, its oid."""


def table(made: Asking, *row: str, described: tuple[str | None, ...] = TABLE) -> Finding:
    return answered(made, Answer((described,)), Answer(()), Answer((described,)), Answer((row,)))


def test_table_that_is_exchanged_while_we_look() -> None:
    other = (*TABLE[:-1], "16385")
    made = check("table", table="links", count=2)
    assert answered(made, Answer((TABLE,)), Answer(()), Answer((other,))).status is Status.FAILED


def test_table_is_exact() -> None:
    counted = check("table", table="links", count=2)
    assert table(counted, "2").passed
    assert table(counted, "1").status is Status.FAILED
    both = check("table", table="links", count=2, fingerprint=FINGERPRINT)
    assert table(both, "2", FINGERPRINT).passed
    assert table(both, "2", "1" * 64).status is Status.FAILED
    assert table(both, "3", FINGERPRINT).status is Status.FAILED


def test_rows_of_tables_that_inherit_are_told() -> None:
    described = ("r", "h", "3", "public.more", None, "1")
    finding = table(check("table", table="links", count=2), "2", described=described)
    assert finding.passed
    assert "those of 3 tables that inherit from it (public.more" in finding.found


@pytest.mark.parametrize(
    ("described", "what"),
    [
        ((), "there is no public.links"),
        ((("v", "h", "0", None, None, "1"),), "is a view"),
        ((("m", "h", "0", None, None, "1"),), "is a materialized view"),
        ((("f", "h", "0", None, None, "1"),), "is a foreign table"),
        ((("p", "h", "0", None, "public.part", "1"),), "public.part in it is a foreign table"),
    ],
)
def test_what_is_no_table_is_not_counted(described: tuple[tuple[str | None, ...], ...], what: str) -> None:
    finding = answered(check("table", table="links", count=2), Answer(described))
    assert finding.status is Status.FAILED
    assert what in finding.found


NUMBERS = check("sequences")
LINKS, FALLING = ("public.links_id_seq", "t", "public", "links", "id"), ("s", "f", "public", "down", "id")


@pytest.mark.parametrize(
    ("owned", "furthest", "status"),
    [
        ((*LINKS, "9", "1"), "9", Status.PASSED),
        ((*LINKS, "0", "1"), None, Status.PASSED),
        ((*LINKS, "8", "1"), "9", Status.FAILED),
        ((*FALLING, "-9", "1"), "-8", Status.PASSED),
        ((*FALLING, "-8", "1"), "-9", Status.FAILED),
    ],
)
def test_sequence_behind_its_column(owned: Any, furthest: str | None, status: Status) -> None:
    finding = answered(NUMBERS, Answer((owned,)), Answer(((furthest, "1"),)))
    assert finding.status is status


def test_sequences_that_are_not_looked_at_are_not_good() -> None:
    assert found(NUMBERS).status is Status.NOT_CHECKED
    unseen = found(NUMBERS, (*LINKS, None, "1"))
    assert (unseen.status, unseen.found) == (
        Status.NOT_CHECKED,
        "cannot be compared: public.links_id_seq of public.links.id",
    )
    excepted = check("sequences", **{"except": ["public.links_id_seq"]})
    assert found(excepted, (*LINKS, "8", "1")).status is Status.NOT_CHECKED
    assert answered(
        excepted, Answer(((*LINKS, "8", "1"), (*FALLING, "-9", "1"))), Answer((("-9", "1"),))
    ).passed


@given(st.text(min_size=1, max_size=20).filter(lambda name: "\x00" not in name))
def test_name_of_a_table_is_one_identifier(name: str) -> None:
    asking = inquiry(TableCheck(name="it", table=name, count=0), FENCED, TOLERANCE)
    next(asking)
    for answer in (Answer((TABLE,)), Answer(())):
        asking.send(answer)
    sql = asking.send(Answer((TABLE,))).sql
    quoted = sql.removeprefix('SELECT count(*) FROM "public".').removesuffix(' AS "kanfunc row"')
    assert quoted[0] == quoted[-1] == '"'
    assert quoted[1:-1].replace('""', "") == name.replace('"', "")
    assert isinstance(query(equals=1), QueryCheck)
