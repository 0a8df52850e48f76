import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kanfunc.domain.coldness import COLD_PRIMARY, COLD_STANDBY, Control, Segment, WalTail, end_of_wal
from kanfunc.domain.errors import KanfuncError, PlatformFailed, Unproven
from kanfunc.domain.lsn import Lsn

GOLDEN = (Path(__file__).parent / "pg_controldata-15.txt").read_text(encoding="utf-8")
"""Output of PostgreSQL 15.18 on a replica after a fast shutdown."""

NEEDED = {
    "Database cluster state",
    "Database system identifier",
    "Latest checkpoint location",
    "Minimum recovery ending location",
    "Min recovery ending loc's timeline",
    "Bytes per WAL segment",
    "WAL block size",
    "pg_control version number",
}
NOTHING_AFTER = "pg_waldump: error: could not find a valid record after 0/3026960"
PAGE, SEGMENT = 8192, 16 * 1024 * 1024


def control(minimum_recovery: str = "0/3026960", timeline: int = 1) -> Control:
    return Control(
        state=COLD_STANDBY,
        system_identifier="7711300797202939188",
        checkpoint=Lsn.parse("0/3025940"),
        minimum_recovery=Lsn.parse(minimum_recovery),
        timeline=timeline,
        segment_size=SEGMENT,
        page_size=PAGE,
        version="1300",
    )


def record_line(lsn: str, length: int, desc: str = "INSERT off 98 flags 0x00", rmgr: str = "Heap") -> str:
    return (
        f"rmgr: {rmgr:<11} len (rec/tot): {length:6}/{length:6}, tx:        725, "
        f"lsn: {lsn}, prev 0/030267C8, desc: {desc}"
    )


def missing(segment: str) -> str:
    return f'pg_waldump: error: could not find file "{segment}": No such file or directory'


# ---- pg_controldata


def test_reads_the_output_of_postgres_15() -> None:
    assert Control.parse(GOLDEN) == control()


def test_whole_output_of_a_later_version_with_more_lines_is_read() -> None:
    assert Control.parse(f"{GOLDEN}Default char data signedness: signed\nno colon here\n") == control()


@pytest.mark.parametrize(
    "state", ["shut down", "in production", "in archive recovery", "shutting down", "in crash recovery"]
)
def test_other_states_are_told_as_they_are(state: str) -> None:
    assert Control.parse(GOLDEN.replace("shut down in recovery", state)).state == state


@pytest.mark.parametrize("name", sorted(NEEDED))
def test_missing_line_is_a_failure(name: str) -> None:
    text = "\n".join(line for line in GOLDEN.splitlines() if not line.startswith(f"{name}:"))
    with pytest.raises(PlatformFailed, match="pg_controldata cannot be read"):
        Control.parse(text)


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        ("ending location:     0/3026960", "ending location:     none"),
        ("loc's timeline:   1", "loc's timeline:   one"),
        ("WAL segment:                16777216", "WAL segment:                16 MB"),
        ("WAL block size:                       8192", "WAL block size:"),
    ],
)
def test_unreadable_value_is_a_failure(good: str, bad: str) -> None:
    assert good in GOLDEN
    with pytest.raises(PlatformFailed):
        Control.parse(GOLDEN.replace(good, bad))


@pytest.mark.parametrize(
    "text", ["", "pg_controldata: error: could not open file", "Datenbanksystemkennung: 7"]
)
def test_other_output_is_a_failure_with_a_remedy(text: str) -> None:
    with pytest.raises(PlatformFailed) as failed:
        Control.parse(text)
    assert failed.value.expected
    assert failed.value.remedy


@pytest.mark.parametrize(
    ("position", "timeline", "name"),
    [
        ("0/3026960", 1, "000000010000000000000003"),
        ("0/3FFFFFF", 1, "000000010000000000000003"),
        ("0/4000000", 1, "000000010000000000000004"),
        ("1/0", 26, "0000001A0000000100000000"),
        ("A/FF000000", 1, "000000010000000A000000FF"),
    ],
)
def test_segment_names_are_those_of_postgres(position: str, timeline: int, name: str) -> None:
    assert control(timeline=timeline).segment_name(Lsn.parse(position)) == name


# ---- the end of the log


@pytest.mark.parametrize(
    ("lsn", "length", "end"),
    [
        pytest.param("0/03026960", 59, "0/30269A0", id="in mid page, aligned"),
        pytest.param("0/030269A0", 34, "0/30269C8", id="in mid page, as the next record showed"),
        pytest.param("0/04000028", 34, "0/4000050", id="first of a segment, as the promotion showed"),
        pytest.param("0/03027FF0", 59, "0/3028048", id="over a page header"),
        pytest.param("0/03000028", 20000, "0/3004E78", id="over several page headers"),
        pytest.param("0/03027FC0", 64, "0/3028000", id="to the end of a page"),
        pytest.param("0/03FFFFC0", 64, "0/4000000", id="to the end of a segment"),
        pytest.param("0/03FFFFF0", 64, "0/4000058", id="over the long header of the next segment"),
        pytest.param("0/FFFFFFF0", 64, "1/58", id="over the end of a log file"),
    ],
)
def test_ends_after_the_last_record(lsn: str, length: int, end: str) -> None:
    tail = WalTail(Segment.BEGUN, record_line(lsn, length), "", "000000010000000000000003")
    assert str(end_of_wal(control(), tail)) == end


@given(start=st.integers(SEGMENT // 8, SEGMENT).map(lambda units: units * 8), length=st.integers(1, 3 * PAGE))
def test_exactly_the_page_headers_between_are_skipped(start: int, length: int) -> None:
    start += 40 if start % PAGE == 0 else 0  # no record begins within a header
    tail = WalTail(Segment.BEGUN, record_line(str(Lsn(start)), length), "", "")
    end = end_of_wal(control(), tail)
    boundaries = range(start - start % PAGE + PAGE, end, PAGE)
    headers = sum(40 if boundary % SEGMENT == 0 else 24 for boundary in boundaries)
    assert end - start - headers == (length + 7) // 8 * 8


def test_length_of_a_huge_record_is_read() -> None:
    # as PostgreSQL 15 prints a message of 200000 bytes
    last = (
        "rmgr: LogicalMessage len (rec/tot): 200055/200055, tx:          0, lsn: 0/06000028, "
        'prev 0/050310D0, desc: MESSAGE non-transactional, prefix "x"; payload (200000 bytes): 79'
    )
    tail = WalTail(Segment.BEGUN, last, "", "000000010000000000000005")
    assert str(end_of_wal(control(), tail)) == "0/6030FE0"


def test_without_any_record_it_ends_at_the_minimum_recovery_location() -> None:
    assert end_of_wal(
        control(), WalTail(Segment.BEGUN, "", NOTHING_AFTER, "000000010000000000000003")
    ) == Lsn(0x3026960)


def test_reason_for_the_end_after_a_record_does_not_matter() -> None:
    complaint = "pg_waldump: error: error in WAL record at 0/3026960: invalid record length at 0/30269A0"
    tail = WalTail(Segment.BEGUN, record_line("0/03026960", 59), complaint, "000000010000000000000003")
    assert end_of_wal(control(), tail) == Lsn(0x30269A0)


def test_log_switch_ends_at_the_end_of_its_segment() -> None:
    # measured: the copy of this replica was promoted at 0/4000000
    last = record_line("0/030269C8", 24, desc="SWITCH ", rmgr="XLOG")
    tail = WalTail(
        Segment.BEGUN, last, "pg_waldump: error: invalid magic number 0000", "000000010000000000000004"
    )
    assert end_of_wal(control(), tail) == Lsn(0x4000000)


def test_text_of_a_logical_message_is_not_taken_for_the_position() -> None:
    desc = 'MESSAGE non-transactional, prefix "x lsn: 0/1, y"; payload (1 bytes): 61'
    tail = WalTail(
        Segment.BEGUN, record_line("0/03026960", 59, desc, "LogicalMessage"), "", "000000010000000000000003"
    )
    assert end_of_wal(control(), tail) == Lsn(0x30269A0)


@pytest.mark.parametrize(
    "last", ["rmgr: Heap", "pg_waldump: first record is after 0/3", 'rmgr: fake"; payload']
)
def test_unreadable_record_is_a_failure(last: str) -> None:
    with pytest.raises(PlatformFailed, match="pg_waldump cannot be read"):
        end_of_wal(control(), WalTail(Segment.BEGUN, last, "", "000000010000000000000003"))


@pytest.mark.parametrize("complaint", ["", "pg_waldump: error: could not open directory: Permission denied"])
def test_no_record_for_an_unknown_reason_is_a_failure(complaint: str) -> None:
    with pytest.raises(PlatformFailed, match="gave no known reason"):
        end_of_wal(control(), WalTail(Segment.BEGUN, "", complaint, "000000010000000000000003"))


# ---- absent and empty segments


@pytest.mark.parametrize("state", [Segment.ABSENT, Segment.EMPTY])
@pytest.mark.parametrize("newest", ["", "000000010000000000000003", "000000010000000000000004"])
def test_log_may_end_where_a_segment_ends(state: Segment, newest: str) -> None:
    assert end_of_wal(control("0/4000000"), WalTail(state, "", "", newest)) == Lsn(0x4000000)


def test_recycled_files_after_an_empty_one_are_no_log() -> None:
    tail = WalTail(Segment.EMPTY, "", "", "000000010000000000000009")
    assert end_of_wal(control("0/4000000"), tail) == Lsn(0x4000000)


@pytest.mark.parametrize(
    ("state", "start", "newest"),
    [
        pytest.param(Segment.ABSENT, "0/4000000", 5, id="at the boundary, and newer ones are there"),
        pytest.param(Segment.ABSENT, "0/4000028", 3, id="absent in mid segment"),
        pytest.param(Segment.EMPTY, "0/4000028", 4, id="empty in mid segment"),
        pytest.param(Segment.ABSENT, "0/4000028", 0, id="none at all"),
    ],
)
def test_segment_that_must_be_there_is_missed(state: Segment, start: str, newest: int) -> None:
    newest_name = f"{1:08X}{newest:016X}" if newest else ""
    with pytest.raises(Unproven, match="000000010000000000000004") as unproven:
        end_of_wal(control(start), WalTail(state, "", "", newest_name))
    _is_whole(unproven.value)


@pytest.mark.parametrize("last", [record_line("0/03026960", 59), ""])
def test_gap_in_mid_stream_is_unproven(last: str) -> None:
    absent = "000000010000000000000004"
    with pytest.raises(Unproven, match=absent) as unproven:
        end_of_wal(control(), WalTail(Segment.BEGUN, last, missing(absent), "000000010000000000000005"))
    _is_whole(unproven.value)


def _is_whole(failure: KanfuncError) -> None:
    assert failure.expected
    assert failure.remedy


# ---- a primary that was stopped by permission

SHUTDOWN = record_line("0/03000028", 114, "CHECKPOINT_SHUTDOWN redo 0/3000028; tli 2; shutdown", rmgr="XLOG")


def stopped_primary() -> Control:
    """Of PostgreSQL 15 after a fast shutdown of a primary on timeline 2."""
    text = GOLDEN.replace("shut down in recovery", "shut down")
    for name, value in {
        "Latest checkpoint location": "0/3000028",
        "Latest checkpoint's TimeLineID": "2",
        "Minimum recovery ending location": "0/0",
        "Min recovery ending loc's timeline": "0",
    }.items():
        text = re.sub(f"^{re.escape(name)}:.*$", f"{name}: {value}", text, flags=re.MULTILINE)
    return Control.parse(text)


def test_primary_ends_with_its_shutdown_checkpoint() -> None:
    control = stopped_primary()
    assert (control.state, control.timeline) == (COLD_PRIMARY, 2)
    assert end_of_wal(control, WalTail(Segment.BEGUN, SHUTDOWN, "", "")) == Lsn.parse("0/30000A0")


@pytest.mark.parametrize(
    "last",
    [
        "",
        SHUTDOWN.replace("SHUTDOWN", "ONLINE"),
        SHUTDOWN.replace("3000028,", "30000A0,"),
        record_line("0/030000A0", 60),
    ],
)
def test_primary_that_ends_with_anything_else_is_unproven(last: str) -> None:
    with pytest.raises(Unproven, match="WAL of the stopped primary"):
        end_of_wal(stopped_primary(), WalTail(Segment.BEGUN, last, NOTHING_AFTER, ""))
