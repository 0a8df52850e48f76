"""The file of checks: what is written wrong is refused with its line, never passed over."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kanfunc.domain.checks import Checks, QueryCheck, TableCheck
from kanfunc.domain.checksfile import LONGEST, read_checks
from kanfunc.domain.codec import Malformed
from kanfunc.domain.errors import Refused
from kanfunc.domain.strictyaml import read_strict

GOOD = """\
defaults: {database: shop, user: reader, timeout: 2m}
checks:
  - name: links
    kind: query
    query: SELECT name FROM links WHERE id = 1
    expect: {equals: Kasten}
  - name: all rows
    kind: table
    table: links
    count: 1
    user: app
"""


def read(text: str) -> Checks:
    return read_checks(text.encode(), "checks.yaml")[0]


def test_file_is_read_with_its_defaults() -> None:
    checks = read(GOOD)
    query, table = checks.checks
    assert isinstance(query, QueryCheck)
    assert isinstance(table, TableCheck)
    assert query.expect.given == {"equals": "Kasten"}
    assert (checks.database(query), checks.user(query), checks.seconds(query)) == ("shop", "reader", 120)
    assert (checks.user(table), table.schema, table.kind) == ("app", "public", "table")


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        (
            "equals: Kasten",
            "equal: Kasten",
            "line 6: checks[0].expect: Object contains unknown field",
        ),
        ("kind: query", "kind: sql", "line 4: checks[0].kind: Invalid value 'sql'"),
        ("equals: Kasten", "equals: a, matches: b", "line 6: checks[0].expect: give exactly one of"),
        ("equals: Kasten", "", "line 6: checks[0].expect: give exactly one of"),
        ("equals: Kasten", "matches: '('", "line 6: checks[0].expect: matches: not a regular expression"),
        ("equals: Kasten", "between: [2, 1]", "line 6: checks[0].expect: between"),
        ("equals: Kasten", "at_least: many", "line 6: checks[0].expect.at_least: Expected"),
        ("    count: 1\n", "", "line 7: checks[1]: give count, or fingerprint"),
        ("count: 1", "count: -1", "line 10: checks[1].count"),
        ("count: 1", "fingerprint: abc", "line 10: checks[1].fingerprint"),
        ("table: links", "table: links\n    table: other", "line 10: key 'table' appears twice"),
        ("table: links", "table: &it links", "line 9: anchors, aliases and tags"),
        ("table: links", "table: !!str links", "line 9: anchors, aliases and tags"),
        ("user: app", "user: ../app", "line 11: checks[1].user"),
        ("2m", "120", "line 1: defaults.timeout"),
        ("all rows", "links", "several checks have the same name: links"),
        ("query: SELECT name FROM links WHERE id = 1", "query: ''", "line 5: checks[0].query"),
        ("checks:", "Checks:", "line 2: Object contains unknown field `Checks`"),
    ],
)
def test_fault_is_told_with_its_line(old: str, new: str, problem: str) -> None:
    assert old in GOOD
    with pytest.raises(Refused) as refused:
        read(GOOD.replace(old, new, 1))
    assert refused.value.found.startswith("checks.yaml, line ")
    assert problem in refused.value.found


@pytest.mark.parametrize(
    "text", ["", "checks: []", "[" * 5000, "\x00", "a: b: c", "- 1", "{[1]: 2}", "---\n---\n"]
)
def test_what_is_no_file_of_checks_is_refused(text: str) -> None:
    with pytest.raises(Refused, match=r"checks\.yaml"):
        read(text)


def test_file_that_is_no_text_or_too_long_is_refused() -> None:
    for content in (b"\xff\xfe\x00", b" " * (LONGEST + 1)):
        with pytest.raises(Refused):
            read_checks(content, "checks.yaml")


@given(st.text(st.sampled_from("ab:-[]{}#&*!'\"|>% \n\t0.e~"), max_size=60))
def test_no_text_breaks_the_reader(text: str) -> None:
    with suppress(Malformed):
        assert isinstance(read_strict(text, dict[str, Any]), dict)


WORDS = st.text(st.sampled_from("ab 0:-#{}[],&*!|>'\"%@`~\\\né😀"), max_size=6)


@given(st.recursive(
    st.none() | st.booleans() | st.integers() | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3), max_leaves=8,
))  # fmt: skip
def test_json_is_yaml(value: Any) -> None:
    text = json.dumps({"it": value}, ensure_ascii=False)
    assert read_strict(text, dict[str, Any]) == {"it": value}
