import pytest
from hypothesis import given
from hypothesis import strategies as st

from kanfunc.domain.errors import PlatformFailed
from kanfunc.domain.lsn import Lsn

positions = st.integers(0, 2**64 - 1).map(Lsn)


@given(positions)
def test_reads_back_what_it_writes(position: Lsn) -> None:
    assert Lsn.parse(str(position)) == position


@given(positions, positions)
def test_order_is_that_of_the_bytes(one: Lsn, other: Lsn) -> None:
    assert (one < other) == (int(one) < int(other))


@pytest.mark.parametrize(
    ("text", "value"),
    [("0/0", 0), ("0/98E4300", 0x98E4300), ("0/098E4300", 0x98E4300), ("1/0", 1 << 32),
     ("a/b", (10 << 32) + 11), ("FFFFFFFF/FFFFFFFF", 2**64 - 1), (" 0/1\n", 1)],
)  # fmt: skip
def test_reads_postgres_notation(text: str, value: int) -> None:
    assert Lsn.parse(text) == value


@pytest.mark.parametrize("text", ["", "/", "0/", "/0", "0", "0/1/2", "x/y", "0 1", "0/G", "0,1", "none"])
def test_anything_else_is_a_failure_that_names_it(text: str) -> None:
    with pytest.raises(PlatformFailed, match="is not a WAL position") as failed:
        Lsn.parse(text)
    assert repr(text) in failed.value.found


@pytest.mark.parametrize("text", ["-1/0", "+1/0", "0x1/0", "1_0/0", "0/100000000", "0/-1", "1 / 2"])
def test_what_only_python_takes_for_a_number_is_no_position(text: str) -> None:
    with pytest.raises(PlatformFailed):
        Lsn.parse(text)
