"""`KANFUNC_MACHINE_EXAMPLES` sets how many sequences of events are tried (`make test-all`: some thousand)."""

import os

from hypothesis.stateful import run_state_machine_as_test

from tests.machine.machine import STEPS, Protocol, settings_of

EXAMPLES = int(os.environ.get("KANFUNC_MACHINE_EXAMPLES", "150"))


def test_invariants_hold_however_everything_interleaves() -> None:
    before = STEPS["taken"]
    run_state_machine_as_test(Protocol, settings=settings_of(max_examples=EXAMPLES, stateful_step_count=50))
    taken = STEPS["taken"] - before
    print(f"{taken} steps in {EXAMPLES} sequences of events")  # noqa: T201 - shown by pytest -s
    assert taken >= EXAMPLES * 20
