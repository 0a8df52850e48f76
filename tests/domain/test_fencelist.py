import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kanfunc.domain.errors import Refused
from kanfunc.domain.fencelist import FenceList

names = st.sampled_from(["pg-1", "pg-2", "pg-3", "*", "Pg-2", "pg-2 ", 'x"y', "é", ""])
lists = st.lists(names, max_size=6).map(tuple).map(FenceList)
instances = st.sampled_from(["pg-1", "pg-2", "pg-3"])
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


@given(lists)
def test_reads_back_what_it_writes(fenced: FenceList) -> None:
    assert FenceList.parse(fenced.annotation()) == fenced


@given(lists, instances)
def test_added_entry_is_named_and_the_others_stay_in_order(fenced: FenceList, instance: str) -> None:
    added = fenced.adding(instance)
    assert added.names(instance)
    assert added.entries[: len(fenced.entries)] == fenced.entries
    assert added.adding(instance) == added


@given(lists, instances)
def test_only_the_removed_entry_goes(fenced: FenceList, instance: str) -> None:
    left = fenced.without(instance)
    assert not left.names(instance)
    assert left.entries == tuple(entry for entry in fenced.entries if entry != instance)
    assert ("*" in left.entries) == ("*" in fenced.entries)


@given(lists, instances)
def test_removing_undoes_adding(fenced: FenceList, instance: str) -> None:
    assert fenced.adding(instance).without(instance) == fenced.without(instance)


@given(lists, instances)
def test_everyone_fences_each_but_names_none(fenced: FenceList, instance: str) -> None:
    assert instance in fenced.adding("*")
    assert fenced.adding("*").names(instance) == fenced.names(instance)


@pytest.mark.parametrize("annotation", [None, "[]", " [ ] "])
def test_nobody_is_fenced(annotation: str | None) -> None:
    fenced = FenceList.parse(annotation)
    assert not fenced
    assert fenced.annotation() is None


@pytest.mark.parametrize(
    "junk",
    [" ", "null", "true", "1", '"pg-2"', "pg-2", "[pg-2]", "{}", '{"pg-2":true}', "[1]", "[null]",
     '[["pg-2"]]', '["pg-2",]', '["pg-2"', '["pg-2"]]',
     '["pg-2"] x', '["\\ud800"]', "\ud800", "['pg-2']", "[", "*", "\0"],
)  # fmt: skip
def test_junk_is_refused_and_never_nobody(junk: str) -> None:
    with pytest.raises(Refused) as refused:
        FenceList.parse(junk)
    assert repr(junk) in refused.value.found
    assert refused.value.expected
    assert refused.value.remedy


def test_empty_text_is_junk_to_the_operator_too() -> None:
    with pytest.raises(Refused):
        FenceList.parse("")


@given(st.text(min_size=1))
def test_any_text_is_a_list_or_refused(text: str) -> None:
    _list_of_names_or_refused(text)


@given(json_values.map(json.dumps))
def test_any_json_is_a_list_of_names_or_refused(text: str) -> None:
    _list_of_names_or_refused(text)


def _list_of_names_or_refused(text: str) -> None:
    try:
        expected: object = json.loads(text)
    except ValueError:
        expected = None
    try:
        fenced = FenceList.parse(text)
    except Refused:
        return
    assert list(fenced.entries) == expected
