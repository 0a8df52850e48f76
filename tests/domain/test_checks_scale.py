"""A file of checks costs in proportion to its length, and no expression or number in it costs more."""

import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kanfunc.domain import checks as module
from kanfunc.domain.checks import Asking, Checks
from kanfunc.domain.checksfile import read_checks
from kanfunc.domain.errors import Refused
from kanfunc.domain.finding import Status
from kanfunc.domain.inquiry import Answer
from kanfunc.domain.pattern import LONGEST_PATTERN, LONGEST_VALUE
from tests.builders import NOW
from tests.domain.test_content import answered, found


def file_of(number: int, tail: str = "") -> bytes:
    each = "".join(
        f"- {{name: c{n}, kind: query, query: SELECT {n}, expect: {{equals: {n}}}}}\n" for n in range(number)
    )
    return f"checks:\n{each}{tail}".encode()


def steps_of(work: Callable[[], object]) -> int:
    """Calls that it makes, of Python's functions and of built-in ones: no clock says how busy we are."""
    steps = 0

    def count(_frame: object, event: str, _argument: object) -> None:
        nonlocal steps
        steps += event in {"call", "c_call"}

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(before)
    return steps


def compared(names: list[str]) -> int:
    """How often names of checks are compared while the file's rule about them is kept."""
    compared = 0

    class Name(str):
        __slots__ = ()

        def __eq__(self, other: object) -> bool:
            nonlocal compared
            compared += 1
            return str.__eq__(self, other)

        __hash__ = str.__hash__

    made = read_checks(file_of(len(names)), "it")[0].checks
    for check, name in zip(made, names, strict=True):
        msgspec.structs.force_setattr(check, "name", Name(name))
    module.Checks(checks=made)
    return compared


def test_steps_and_comparisons_grow_with_the_number_of_checks() -> None:
    few, many = (steps_of(lambda n=n: read_checks(file_of(n), "it")) for n in (200, 1600))  # type: ignore[misc]
    assert many < 10 * few
    assert compared([f"n{n}" for n in range(400)]) < 4000


def test_fault_at_the_end_of_a_long_file_has_its_line() -> None:
    with pytest.raises(Refused, match=r"line 3002: checks\[3000\]\.expect"):
        read_checks(file_of(3000, "- {name: bad, kind: query, query: S, expect: {equal: 1}}\n"), "it")


def query(**expect: Any) -> Asking:
    return check(kind="query", query="S", expect=expect)


def check(**fields: Any) -> Asking:
    made: Asking = msgspec.convert({"name": "it", **fields}, Asking)
    return made


def passes(made: Asking, value: str | None) -> bool:
    return found(made, (value,)).passed


# ---- expressions

HARD = [
    ("(a+)+b", "a" * 25),
    ("(a|a)*b", "a" * LONGEST_VALUE),
    ("(a|aa)+$b", "a" * LONGEST_VALUE),
    ("(" * 200 + "a*" + ")*" * 200, "a" * LONGEST_VALUE + "b"),
    ("(?:a?){100}b", "a" * LONGEST_VALUE),
    ("(.*)*x(.*)*y(.*)*z", "xy" * 5000),
    ("((a*)*)*b", "é" * LONGEST_VALUE),
]


@pytest.mark.timeout(10)
@pytest.mark.parametrize(("pattern", "value"), HARD, ids=[pattern[:20] for pattern, _ in HARD])
def test_no_expression_takes_long(pattern: str, value: str) -> None:
    assert not passes(query(matches=pattern), value)


@pytest.mark.parametrize(
    "pattern",
    [
        "(?=a)b",
        "(?<!a)b",
        r"(a)\1",
        "(?P<n>a)(?P=n)",
        "(" * 5000 + ")" * 5000,
        "[a",
        "a**+",
        "(a{1,100}){1,100}",
        "a" * (LONGEST_PATTERN + 1),
        "(?>a)",
        r"\pL{5}" * 100,
    ],
    ids=lambda pattern: pattern[:12],
)
def test_what_is_not_taken_is_refused_with_its_line(pattern: str) -> None:
    text = f"checks:\n- name: it\n  kind: query\n  query: S\n  expect: {{matches: {json.dumps(pattern)}}}\n"
    with pytest.raises(Refused, match=r"line 5: checks\[0\]\.expect"):
        read_checks(text.encode(), "it")


@given(st.text(max_size=40), st.text(max_size=60))
def test_any_expression_is_refused_or_decides(pattern: str, value: str) -> None:
    try:
        made = query(matches=pattern)
    except msgspec.ValidationError:
        return
    assert passes(made, value) in {True, False}


@pytest.mark.parametrize(
    ("pattern", "value", "good"),
    [
        ("a.b", "a\nb", True),
        ("a$", "a\n", False),
        ("a", "ab", False),
        ("b", "ab", False),
        ("(?i)É", "é", True),
        ("", "", True),
        (".*", "x" * LONGEST_VALUE, True),
        (".*", "x" * (LONGEST_VALUE + 1), False),
        (".", "\ud800", False),
    ],
)
def test_meaning_is_that_of_the_whole_value(pattern: str, value: str, good: bool) -> None:  # noqa: FBT001
    assert passes(query(matches=pattern), value) is good


# ---- numbers and times

VALUES = [
    None,
    "",
    "0",
    "-0",
    "1",
    "1e999999",
    "1e-999999",
    "1e999999999999",
    "-1e999999999",
    "NaN",
    "sNaN",
    "Infinity",
    "-inf",
    "9" * 10_000,
    "0." + "0" * 10_000 + "1",
    "1_0",
    "\u0661",
    " 10",
    "10 ",
    "0x10",
    "\ud800",
    "1" * 4301,
    "t",
    "{1}",
]
TIMES = [
    None,
    "",
    "infinity",
    "-infinity",
    "epoch",
    "0001-01-01",
    "0001-01-01 00:00:00+23:59",
    "0001-01-01 00:00:00-23:59",
    "9999-12-31 23:59:59.999999",
    "9999-12-31 23:59:59+23:59",
    "9999-12-31 23:59:59-23:59",
    "0044-03-15 12:00:00+00 BC",
    "10000-01-01",
    "294276-12-31 23:59:59+00",
    "4713-01-01 00:00:00+00 BC",
    "2026-02-30",
    "24:00:00",
    "9" * 10_000,
    "2026-11-23 08:59:59.9999999999+00",
]
EXPECTED: list[dict[str, Any]] = [
    {"equals": 1},
    {"equals": 0.1},
    {"equals": int("9" * 99)},
    {"equals": 1e308},
    {"equals": "1"},
    {"equals": True},
    {"at_least": 0},
    {"at_least": -1e308},
    {"between": [0, int("9" * 99)]},
    {"between": [1e-300, 1e300]},
    {"rows": [[1]]},
]
FENCES = [
    NOW,
    datetime.min.replace(tzinfo=UTC),
    datetime.max.replace(tzinfo=UTC),
    None,
]


@pytest.mark.timeout(20)
def test_every_value_has_an_answer() -> None:
    for expect in EXPECTED:
        for value in VALUES:
            assert passes(query(**expect), value) in {True, False}


@pytest.mark.parametrize("value", ["1_0", " 10", "10 ", "\u0661\u0660", "0x0a", "1e1_0"])
def test_what_postgresql_does_not_print_is_no_number(value: str) -> None:
    """Python's Decimal takes some of them: a text would be taken for the number that it is not."""
    assert not passes(query(equals=10), value)


@pytest.mark.parametrize("fence", FENCES, ids=str)
@pytest.mark.parametrize("age", ["1s", "3650d", "87600h", "999999m"])
def test_every_time_has_an_answer(fence: datetime | None, age: str) -> None:
    made = check(kind="freshness", query="S", max_age=age)
    for value in TIMES:
        finding = answered(made, Answer(((value,),)), fenced=fence)
        assert finding.status in Status
        assert finding.found


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (3, "max_age: 800000d"),
        (3, "max_age: 3651d"),
        (3, "max_age: 999999h"),
        (3, "max_age: 1d, timeout: 8d"),
        (3, "max_age: 1d, timeout: 999999d"),
        (1, "max_age: 1d, timeout: 1s"),
    ],
)
def test_duration_beyond_sense_is_refused_with_its_line(line: int, text: str) -> None:
    default = "999999d" if line == 1 else "30s"
    file = f"defaults: {{timeout: {default}}}\nchecks:\n- {{name: a, kind: freshness, query: S, {text}}}\n"
    with pytest.raises(Refused, match=f"line {line}: .*more than"):
        read_checks(file.encode(), "it")


@pytest.mark.parametrize("kind", ["query", "freshness", "extensions", "roles", "table", "login"])
def test_time_limit_of_every_kind_is_bounded(kind: str) -> None:
    fields: dict[str, dict[str, Any]] = {
        "query": {"query": "S", "expect": {"equals": 1}},
        "freshness": {"query": "S", "max_age": "1d"},
        "extensions": {"required": ["x"]},
        "roles": {"required": ["x"]},
        "table": {"table": "t", "count": 1},
        "login": {"method": "password"},
    }
    made = {"name": "it", "kind": kind, **fields[kind]}
    assert msgspec.convert({"checks": [made | {"timeout": "7d"}]}, Checks).checks
    with pytest.raises(msgspec.ValidationError, match="more than 7 days"):
        msgspec.convert({"checks": [made | {"timeout": "8d"}]}, Checks)


@pytest.mark.parametrize("number", ["1e999", "-1e999", "1" * 5000, "1e-999", "0." + "1" * 5000])
def test_number_in_the_file_is_read_or_refused(number: str) -> None:
    text = f"checks:\n- {{name: it, kind: query, query: S, expect: {{at_least: {number}}}}}\n"
    try:
        checks, _ = read_checks(text.encode(), "it")
    except Refused as refused:
        assert "line 2" in refused.found  # noqa: PT017 - either is right
    else:
        assert passes(checks.checks[0], "1") in {True, False}  # type: ignore[arg-type]


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "text",
    [
        "[" * 300_000,
        "[" * 99 + "]" * 99,
        "{a: " * 500,
        "- " * 5000,
        "? " * 5000,
        "\n".join("- " * n for n in range(300)),
    ],
)
def test_nesting_ends_in_a_refusal(text: str) -> None:
    with pytest.raises(Refused):
        read_checks(f"checks: {text}".encode(), "it")
