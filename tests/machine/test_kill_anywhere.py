"""kill -9 before and after every step of fence and unfence; then the same verb again, or the other one."""

from collections.abc import Callable

import pytest

from kanfunc.domain.flavour import CNPG, EDB, Flavour
from kanfunc.domain.record import State, Verdict, own_record_of
from kanfunc.operations.unfence import Outcome
from tests.machine import properties
from tests.machine.actors import Actor
from tests.machine.calls import check_end, start_expiry, start_fence, start_unfence
from tests.machine.simulation import TICK, Simulation

FLAVOURS = pytest.mark.parametrize("flavour", [EDB, CNPG], ids=lambda flavour: flavour.name)


def pauses(actor: Actor, exit_code: int) -> int:
    """How often a call that nobody disturbs can be killed."""
    found = 0
    while not actor.ended:
        actor.advance()
        found += 1
    assert actor.exit_code == exit_code, actor.outcome
    return found


def fenced(flavour: Flavour) -> Simulation:
    simulation = Simulation(flavour)
    assert start_fence(simulation).finish().succeeded
    return simulation


def backed_up(flavour: Flavour) -> Simulation:
    simulation = fenced(flavour)
    simulation.snapshot("pg-2")
    return simulation


def killed(simulation: Simulation, actor: Actor, steps: int) -> None:
    for _ in range(steps):
        actor.advance()
    actor.kill()
    simulation.commit()
    simulation.tick()


def run(simulation: Simulation, actor: Actor) -> Actor:
    actor.finish()
    check_end(simulation, actor)
    return actor


def settle(simulation: Simulation) -> None:
    """Let what is late happen, and release what a dead run may have left."""
    for _ in range(4):
        simulation.tick(2 * TICK)
    run(simulation, start_unfence(simulation, Outcome.FAILURE))
    simulation.tick()
    properties.check_nothing_stands(simulation)


def each_kill(
    prepare: Callable[[], Simulation], start: Callable[[Simulation], Actor], exit_code: int = 0
) -> list[tuple[Simulation, Actor]]:
    """One world for every place at which the call can die."""
    total = pauses(start(prepare()), exit_code)
    worlds = []
    for steps in range(1, total):
        simulation = prepare()
        actor = start(simulation)
        killed(simulation, actor, steps)
        worlds.append((simulation, actor))
    assert len(worlds) > 15
    return worlds


@FLAVOURS
def test_killed_fence_is_repeated_to_a_proven_backup(flavour: Flavour) -> None:
    for simulation, _ in each_kill(lambda: Simulation(flavour), start_fence):
        again = run(simulation, start_fence(simulation))
        assert again.succeeded, again.outcome
        simulation.snapshot("pg-2")
        proof = run(simulation, start_unfence(simulation, Outcome.SUCCESS))
        assert proof.exit_code == 0, proof.outcome
        settle(simulation)


@FLAVOURS
def test_killed_fence_is_no_backup_unless_it_was_sealed(flavour: Flavour) -> None:
    for simulation, _ in each_kill(lambda: Simulation(flavour), start_fence):
        before = own_record_of(simulation.cluster())
        simulation.snapshot("pg-2")
        verdict = run(simulation, start_unfence(simulation, Outcome.SUCCESS))
        sealed = before is not None and before.state is State.SEALED
        assert verdict.exit_code == (0 if sealed else 2), verdict.outcome
        settle(simulation)


@FLAVOURS
def test_killed_fence_is_released_after_a_failed_backup(flavour: Flavour) -> None:
    for simulation, _ in each_kill(lambda: Simulation(flavour), start_fence):
        assert run(simulation, start_unfence(simulation, Outcome.FAILURE)).exit_code == 0
        settle(simulation)


@FLAVOURS
def test_killed_fence_is_ended_at_its_deadline(flavour: Flavour) -> None:
    for simulation, _ in each_kill(lambda: Simulation(flavour), start_fence):
        before = simulation.cluster().annotations
        start_expiry(simulation).finish()
        assert simulation.cluster().annotations == before
        for _ in range(60):
            simulation.tick(12 * TICK)
        start_expiry(simulation).finish()
        simulation.tick()
        properties.check_nothing_stands(simulation)


@FLAVOURS
def test_killed_unfence_is_repeated_with_the_same_verdict(flavour: Flavour) -> None:
    for simulation, _ in each_kill(lambda: backed_up(flavour), lambda s: start_unfence(s, Outcome.SUCCESS)):
        again = run(simulation, start_unfence(simulation, Outcome.SUCCESS))
        assert again.exit_code == 0, again.outcome
        record = own_record_of(simulation.cluster())
        assert record
        assert (record.state, record.verdict) == (State.ENDED, Verdict.HELD)
        settle(simulation)


@FLAVOURS
def test_killed_unfence_of_a_broken_fence_stays_broken(flavour: Flavour) -> None:
    def broken() -> Simulation:
        simulation = backed_up(flavour)
        simulation.write_fences([])
        simulation.tick()
        simulation.snapshot("pg-2")
        return simulation

    for simulation, _ in each_kill(broken, lambda s: start_unfence(s, Outcome.SUCCESS), exit_code=2):
        assert run(simulation, start_unfence(simulation, Outcome.SUCCESS)).exit_code == 2
        settle(simulation)


@FLAVOURS
def test_backup_after_a_killed_unfence_is_proven(flavour: Flavour) -> None:
    for simulation, _ in each_kill(lambda: backed_up(flavour), lambda s: start_unfence(s, Outcome.SUCCESS)):
        assert run(simulation, start_fence(simulation)).succeeded
        simulation.snapshot("pg-2")
        assert run(simulation, start_unfence(simulation, Outcome.SUCCESS)).exit_code == 0
        settle(simulation)


@FLAVOURS
def test_late_entry_after_a_roll_back_is_ours_until_its_time_is_up(flavour: Flavour) -> None:
    if not flavour.has_adapter:
        pytest.skip("a patch of ours is never late")
    simulation = Simulation(flavour)
    simulation.hook_mode = "late"
    assert run(simulation, start_fence(simulation)).exit_code == 1
    assert simulation.fenced == []
    simulation.tick(4 * TICK)
    assert simulation.fenced == ["pg-2"]
    settle(simulation)
