import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kanfunc.domain.codec import decode, encode
from kanfunc.domain.errors import Refused
from kanfunc.domain.flavour import RECORD_ANNOTATION
from kanfunc.domain.lsn import Lsn
from kanfunc.domain.record import (
    Changes,
    Late,
    Proof,
    Record,
    State,
    Verdict,
    ended,
    own_record_of,
    record_of,
    relic_cleared,
    without_entries,
    written,
)
from kanfunc.domain.world import Cluster, RunningBackup
from tests.builders import FENCED, NOW, cluster, proof, record

SOON, PAST = NOW + timedelta(seconds=60), NOW - timedelta(seconds=1)
LIVE = [state for state in State if state is not State.ENDED]

texts = st.text(st.characters(codec="utf-8"), max_size=20)
times = st.datetimes(timezones=st.just(UTC))
positions = st.integers(0, 2**64 - 1).map(Lsn)
uids = st.dictionaries(texts, texts, max_size=3)
proofs = st.builds(
    Proof, bound=positions, bound_at=times, xid=texts, end_of_wal=positions, minimum_recovery=positions,
    timeline=st.integers(1, 2**31), system_identifier=texts, digest=texts, control_version=texts,
)  # fmt: skip
records = st.builds(
    Record, id=texts, cluster_uid=texts, instance=texts, pod_uid=texts, volumes=uids,
    state=st.sampled_from(State), started=times, deadline=times,
    verdict=st.none() | st.sampled_from(Verdict), reason=st.none() | texts,
    sealed=st.none() | times, proof=st.none() | proofs, judged=st.none() | times,
    late=st.lists(st.builds(Late, instance=texts, until=times), max_size=2).map(tuple),
    older_snapshots=st.lists(texts, max_size=3).map(tuple),
    judged_snapshots=st.none() | st.lists(texts, max_size=3).map(tuple),
)  # fmt: skip


def carrying(value: Record | str, *fenced: str) -> Cluster:
    """A Cluster with this record and this fence list."""
    text = value if isinstance(value, str) else encode(value)
    return cluster({RECORD_ANNOTATION: text, **({FENCED: json.dumps(fenced)} if fenced else {})})


def ended_record(changes: Changes) -> Record:
    return decode(changes[RECORD_ANNOTATION] or "", Record)


# ---- as text


@given(records)
def test_reads_back_what_it_writes(value: Record) -> None:
    assert decode(encode(value), Record) == value


@given(records)
def test_keys_of_a_newer_version_are_tolerated(value: Record) -> None:
    newer = {**json.loads(encode(value)), "colour": {"of": ["the", "sky"]}}
    assert decode(json.dumps(newer), Record) == value


def test_positions_are_written_as_postgres_does() -> None:
    assert json.loads(encode(proof()))["end_of_wal"] == "0/98E4300"


def test_no_record_is_none() -> None:
    assert record_of(cluster()) is None


def _spoilt(**changes: Any) -> str:
    return json.dumps({**json.loads(encode(record(proof=proof()))), **changes})


def _spoilt_proof(**changes: Any) -> str:
    return _spoilt(proof={**json.loads(encode(proof())), **changes})


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "{", "[]", "null", "1", '"fence-1"', "{}", '{"id":"x"}', "\0", "\ud800",
        _spoilt(state="frozen"), _spoilt(verdict="good"), _spoilt(id=None), _spoilt(id=7),
        _spoilt(volumes=[]), _spoilt(volumes={"pg-2": 1}), _spoilt(late=[{}]),
        _spoilt(started="yesterday"), _spoilt(started=5),
        _spoilt_proof(timeline="1"), _spoilt_proof(timeline=1.5), _spoilt_proof(bound_at=None),
        pytest.param(_spoilt_proof(bound="nonsense")),
        pytest.param(_spoilt_proof(end_of_wal=5)),
        pytest.param(_spoilt_proof(bound=None)),
        pytest.param(
            _spoilt(started="2026-11-23T09:00:00")),
        pytest.param(
            _spoilt(late=[{"instance": "pg-2", "until": "2026-11-23T09:00:00"}])),
    ],
)  # fmt: skip
def test_junk_is_refused_with_the_way_out(text: str) -> None:
    with pytest.raises(Refused) as refused:
        record_of(carrying(text))
    assert RECORD_ANNOTATION in refused.value.found
    assert FENCED in refused.value.remedy
    assert refused.value.expected


def test_record_of_another_incarnation_is_not_our_own() -> None:
    relic = carrying(record(cluster_uid="uid-of-the-source"))
    assert record_of(relic) is not None
    assert own_record_of(relic) is None
    assert own_record_of(carrying(record())) == record()


# ---- whose entry is it?

OURS = (State.FENCED, State.SEALED, State.ENDING)


@pytest.mark.parametrize("state", State)
def test_entry_of_the_fenced_instance_is_ours_once_it_is_placed(state: State) -> None:
    assert record(state).owns_entry_of("pg-2", NOW) == (state in OURS)


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("entry", ["pg-1", "pg-3", "*", "pg-22", ""])
def test_entry_of_another_is_never_ours(state: State, entry: str) -> None:
    assert not record(state).owns_entry_of(entry, NOW)


@pytest.mark.parametrize("state", LIVE)
@pytest.mark.parametrize("until", [SOON, NOW, PAST])
@pytest.mark.parametrize("instance", ["pg-2", "pg-3"])
def test_late_entry_is_ours_while_the_record_lives(state: State, until: datetime, instance: str) -> None:
    value = record(state, late=(Late(instance=instance, until=until),))
    assert value.owns_entry_of(instance, NOW)


@pytest.mark.parametrize(("until", "ours"), [(SOON, True), (NOW, False), (PAST, False)])
def test_late_entry_is_ours_after_the_end_only_until_the_command_is_over(until: datetime, ours: bool) -> None:  # noqa: FBT001 - a column of the table
    value = record(State.ENDED, late=(Late(instance="pg-2", until=until),))
    assert value.owns_entry_of("pg-2", NOW) == ours
    assert bool(value.pending(NOW)) == ours


def test_owned_entries_are_taken_from_the_list() -> None:
    assert record().owned_entries(carrying(record(), "pg-3", "pg-2", "*")) == ("pg-2",)
    assert record().owned_entries(carrying(record(), "pg-3")) == ()


# ---- how it ends


def test_end_takes_our_entry_and_leaves_the_others() -> None:
    changes = ended(carrying(record(), "pg-3", "pg-2", "*"), record(), Verdict.HELD, ())
    assert changes[FENCED] == '["pg-3","*"]'
    assert ended_record(changes) == record(State.ENDED, verdict=Verdict.HELD, ended=NOW)


def test_end_removes_the_annotation_with_its_last_entry() -> None:
    assert ended(carrying(record(), "pg-2"), record(), Verdict.BROKEN, ())[FENCED] is None


def test_end_leaves_the_list_alone_where_nothing_is_ours() -> None:
    placing = record(State.PLACING)
    assert FENCED not in ended(carrying(placing, "pg-2"), placing, Verdict.ROLLED_BACK, ())


def test_end_leaves_an_entry_on_which_a_backup_works() -> None:
    value = record(late=(Late(instance="pg-3", until=SOON),))
    backup = RunningBackup(name="nightly", cluster="pg", instance="pg-2")
    assert ended(carrying(value, "pg-2", "pg-3"), value, Verdict.HELD, [backup])[FENCED] == '["pg-2"]'
    undecided = RunningBackup(name="nightly", cluster="pg", instance="")
    assert ended(carrying(value, "pg-2"), value, Verdict.HELD, [undecided])[FENCED] is None


def test_relic_goes_with_the_entry_that_it_names() -> None:
    relic = record(State.SEALED, cluster_uid="another")
    assert relic_cleared(carrying(relic, "pg-2", "pg-3"), relic) == {
        RECORD_ANNOTATION: None,
        FENCED: '["pg-3"]',
    }


def test_relic_that_had_ended_names_no_entry() -> None:
    relic = record(State.ENDED, cluster_uid="another")
    assert relic_cleared(carrying(relic, "pg-2"), relic) == {RECORD_ANNOTATION: None}


def test_nothing_to_take_out_is_no_change() -> None:
    assert without_entries(carrying(record(), "pg-3"), ("pg-2",)) == {}
    assert written(record()) == {RECORD_ANNOTATION: encode(record())}
