"""What the model (docs/model) found in the product, as tests of the product."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from kanfunc.domain.flavour import CNPG, EDB
from kanfunc.domain.record import own_record_of
from kanfunc.operations.unfence import Outcome
from tests.machine import properties
from tests.machine.actors import Actor
from tests.machine.calls import start_expiry, start_fence, start_unfence
from tests.machine.simulation import Simulation


def advance_until(actor: Actor, reached: Callable[[], bool]) -> None:
    while not reached():
        assert not actor.ended, actor.outcome
        actor.advance()


def test_a_late_command_of_a_killed_run_is_ours_after_the_next_fence_of_that_instance() -> None:
    simulation = Simulation(EDB)
    simulation.hook_mode = "late"
    killed = start_fence(simulation)
    advance_until(killed, lambda: bool(simulation.pending))
    killed.kill()
    late, simulation.hook_mode = simulation.pending.pop(), "now"
    record = own_record_of(simulation.cluster())
    assert record
    until = record.late[0].until
    assert start_fence(simulation).finish().succeeded
    assert start_unfence(simulation, Outcome.FAILURE).finish().succeeded

    assert simulation.now < until
    simulation.place(late.instance)
    start_expiry(simulation).finish()
    simulation.tick()
    properties.check_nothing_stands(simulation)


@pytest.mark.parametrize("caller", ["unfence", "watchdog"])
def test_a_primary_lost_while_marks_are_erased_keeps_the_fence(caller: str) -> None:
    simulation = Simulation(CNPG)
    assert start_fence(simulation).finish().succeeded
    simulation.now += timedelta(hours=2)
    actor = start_expiry(simulation) if caller == "watchdog" else start_unfence(simulation, Outcome.FAILURE)
    advance_until(actor, lambda: not simulation.engines["pg-2"].marks)
    simulation.lose_primary_for_good()
    actor.finish()
    assert simulation.is_fenced("pg-2")
