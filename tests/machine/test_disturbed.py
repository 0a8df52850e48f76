"""Somebody or something interferes at every single step of a fence, or between it and its end."""

from collections.abc import Callable

import pytest

from kanfunc.domain.flavour import CNPG, EDB, Flavour
from kanfunc.domain.record import State, own_record_of
from kanfunc.operations.unfence import Outcome
from tests.machine import properties
from tests.machine.actors import Actor
from tests.machine.calls import FENCE_LIMITS, check_end, start_expiry, start_fence, start_unfence
from tests.machine.objects import EVERYONE
from tests.machine.simulation import Simulation

Disturb = Callable[[Simulation], None]
FLAVOURS = pytest.mark.parametrize("flavour", [EDB, CNPG], ids=lambda flavour: flavour.name)


def flicker(simulation: Simulation) -> None:
    """The fence is lifted and placed again by a person: the annotations look as before."""
    before = simulation.fenced
    simulation.write_fences([])
    simulation.tick()
    simulation.truth.human.update(before)
    simulation.write_fences(before)
    simulation.tick()


def lift(simulation: Simulation) -> None:
    simulation.truth.human.clear()
    simulation.write_fences([])
    simulation.tick()


def fence_all(simulation: Simulation) -> None:
    simulation.truth.human.add(EVERYONE)
    simulation.write_fences([*simulation.fenced, EVERYONE])


def fence_another(simulation: Simulation) -> None:
    simulation.truth.human.add("pg-3")
    simulation.write_fences([*simulation.fenced, "pg-3"])


def fail_over(simulation: Simulation) -> None:
    """To the elected instance, unless that is fenced."""
    simulation.lagging = {"pg-3"}
    simulation.commit()
    simulation.lose_primary()


def crash_stops(simulation: Simulation) -> None:
    simulation.clean_stops = False


def lose_writes(simulation: Simulation) -> None:
    simulation.lost_bytes = 0x1000


def operator_backup(simulation: Simulation) -> None:
    simulation.begin_backup("pg-2")
    simulation.tick()
    if simulation.running_backups():
        simulation.end_backup()
    simulation.tick()


def elect_another(simulation: Simulation) -> None:
    simulation.relabel("pg-3")


def replace_pod(simulation: Simulation) -> None:
    simulation.replace_pod("pg-2")


def replace_volume(simulation: Simulation) -> None:
    simulation.replace_volume("pg-2")


def snapshot_primary(simulation: Simulation) -> None:
    simulation.snapshot("pg-1")


def expire(simulation: Simulation) -> None:
    """The deadline passes, and the watchdog is there."""
    simulation.now += FENCE_LIMITS.deadline
    start_expiry(simulation).finish()


DISTURBANCES: list[Disturb] = [
    flicker, lift, fence_all, fence_another, fail_over, crash_stops, lose_writes, operator_backup,
    elect_another, replace_pod, replace_volume, snapshot_primary, expire,
]  # fmt: skip
DISTURBED = pytest.mark.parametrize("disturb", DISTURBANCES, ids=lambda disturb: disturb.__name__)


def release_all(simulation: Simulation) -> None:
    simulation.clean_stops, simulation.lost_bytes = True, 0
    for _ in range(6):
        simulation.tick()
    run(simulation, start_unfence(simulation, Outcome.FAILURE))
    simulation.tick()
    properties.check_nothing_stands(simulation)


def run(simulation: Simulation, actor: Actor) -> Actor:
    actor.finish()
    check_end(simulation, actor)
    return actor


def at_each_step(
    prepare: Callable[[], Simulation], start: Callable[[Simulation], Actor], disturb: Disturb
) -> list[tuple[Simulation, Actor]]:
    """The call with the disturbance after its first step, after its second, and so on to its end."""
    found = []
    for steps in range(1000):
        simulation = prepare()
        actor = start(simulation)
        for _ in range(steps):
            actor.advance()
        ended = actor.ended
        disturb(simulation)
        found.append((simulation, run(simulation, actor)))
        if ended:
            return found
    raise AssertionError("the call does not end")


@FLAVOURS
@DISTURBED
def test_fence_never_lies(flavour: Flavour, disturb: Disturb) -> None:
    ends = at_each_step(lambda: Simulation(flavour), start_fence, disturb)
    for simulation, actor in ends:
        assert actor.exit_code in {0, 1, 2, 3}, actor.outcome
        if actor.succeeded:
            simulation.snapshot("pg-2")
            run(simulation, start_unfence(simulation, Outcome.SUCCESS))
        release_all(simulation)


@FLAVOURS
@DISTURBED
def test_unfence_never_lies(flavour: Flavour, disturb: Disturb) -> None:
    def backed_up() -> Simulation:
        simulation = Simulation(flavour)
        assert start_fence(simulation).finish().succeeded
        simulation.snapshot("pg-2")
        return simulation

    for simulation, actor in at_each_step(
        backed_up, lambda each: start_unfence(each, Outcome.SUCCESS), disturb
    ):
        assert actor.exit_code in {0, 1, 2}, actor.outcome
        release_all(simulation)


NOT_HELD = [flicker, lift, operator_backup, replace_volume, snapshot_primary, expire]


@FLAVOURS
@pytest.mark.parametrize("disturb", NOT_HELD, ids=lambda disturb: disturb.__name__)
def test_what_breaks_a_fence_before_the_snapshots_is_told(flavour: Flavour, disturb: Disturb) -> None:
    simulation = Simulation(flavour)
    assert start_fence(simulation).finish().succeeded
    disturb(simulation)
    simulation.snapshot("pg-2")
    assert run(simulation, start_unfence(simulation, Outcome.SUCCESS)).exit_code == 2
    release_all(simulation)


@FLAVOURS
@pytest.mark.parametrize("disturb", [flicker, lift, replace_volume], ids=lambda disturb: disturb.__name__)
def test_fence_that_broke_is_not_taken_over(flavour: Flavour, disturb: Disturb) -> None:
    simulation = Simulation(flavour)
    first = start_fence(simulation).finish()
    assert first.succeeded
    disturb(simulation)
    simulation.commit()
    bound = simulation.engines["pg-1"].position
    assert run(simulation, start_fence(simulation)).succeeded
    record = own_record_of(simulation.cluster())
    assert record
    assert record.proof
    assert record.state is State.SEALED
    assert record.proof.bound > bound  # a new proof, not the old one
    release_all(simulation)


@FLAVOURS
@pytest.mark.parametrize("disturb", [crash_stops, lose_writes], ids=lambda disturb: disturb.__name__)
def test_stop_that_is_not_clean_is_no_fence(flavour: Flavour, disturb: Disturb) -> None:
    simulation = Simulation(flavour)
    disturb(simulation)
    assert run(simulation, start_fence(simulation)).exit_code == 2
    release_all(simulation)
