import pytest

from kanfunc.domain import errors
from kanfunc.domain.errors import (
    ApiFailed,
    ExecFailed,
    KanfuncError,
    PlatformFailed,
    Refused,
    StillStanding,
    Terminated,
    Unproven,
    WaitTimeout,
    worst,
)

REFUSED = Refused("x", expected="y", remedy="z")


@pytest.mark.parametrize(
    ("failure", "code"),
    [
        (PlatformFailed("x"), 1),
        (Terminated("x"), 1),
        (WaitTimeout("x"), 1),
        (ApiFailed("x"), 1),
        (ExecFailed("x"), 1),
        (Unproven("x"), 2),
        (REFUSED, 3),
        (StillStanding("x"), 4),
    ],
)
def test_type_says_the_exit_code(failure: KanfuncError, code: int) -> None:
    assert failure.exit_code == code


@pytest.mark.parametrize(
    ("failures", "code"),
    [
        ([REFUSED], 3),
        ([REFUSED, ApiFailed("x")], 1),
        ([ApiFailed("x"), Unproven("x"), REFUSED], 2),
        ([Unproven("x"), StillStanding("x"), ApiFailed("x")], 4),
    ],
)
def test_worst_decides(failures: list[KanfuncError], code: int) -> None:
    assert worst(failures).exit_code == code
    assert worst(failures[::-1]).exit_code == code


def test_first_of_equals_is_reported() -> None:
    assert worst([ApiFailed("first"), ApiFailed("second")]).found == "first"


def test_text_leaves_out_what_is_not_known() -> None:
    assert str(PlatformFailed("it broke")) == "it broke"
    assert str(Unproven("a", expected="b", left="c", remedy="d")).splitlines() == [
        "a",
        "  expected: b",
        "  left as it was: c",
        "  next: d",
    ]


def test_refusal_leaves_everything() -> None:
    assert "left as it was: everything" in str(REFUSED)


def test_every_failure_has_a_place_in_the_order() -> None:
    kinds = [
        kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, KanfuncError)
    ]
    assert {kind.exit_code for kind in kinds} == {1, 2, 3, 4}
