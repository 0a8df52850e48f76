"""The fault matrix: each step of fence and unfence x each fault, on scripted commands.

What a person, the operator, Kasten or a fail-over do at each step is in test_disturbed, kill -9 in
test_kill_anywhere; here is what befalls the call itself and the platform under it. After each cell the
invariants hold: `docs/lab.md` says where each fault is tried, and on what.
"""

from collections.abc import Callable
from datetime import timedelta

import pytest

from kanfunc.domain.flavour import CNPG, EDB, Flavour
from kanfunc.domain.record import State, Verdict, own_record_of
from kanfunc.operations.unfence import Outcome
from tests.machine.actors import Actor
from tests.machine.calls import start_fence, start_unfence
from tests.machine.simulation import TICK, Simulation
from tests.machine.test_disturbed import release_all, run

Fault = Callable[[Simulation, Actor], Callable[[], None] | None]
"""Done before the next step; what it returns is done some steps later."""
FLAVOURS = pytest.mark.parametrize("flavour", [EDB, CNPG], ids=lambda flavour: flavour.name)
LATER = 6
"""Steps after which a fault that passes is over."""


def injected(kind: str) -> Fault:
    """It befalls the next call of a port."""
    return lambda _, actor: actor.faults.append(kind)


def sigterm(_: Simulation, actor: Actor) -> None:
    actor.terminate()


def pod_deleted(simulation: Simulation, _: Actor) -> Callable[[], None]:
    engine = simulation.engines["pg-2"]
    labels = simulation.delete_pod("pg-2")
    engine.stop()

    def back() -> None:
        simulation.bring_pod("pg-2", labels)
        simulation.tick()

    return back


def pod_recreated(simulation: Simulation, _: Actor) -> None:
    simulation.replace_pod("pg-2")


def container_restarted(simulation: Simulation, _: Actor) -> None:
    if simulation.engines["pg-2"].running:
        simulation.engines["pg-2"].stop(clean=False)
        simulation.engines["pg-2"].start()


def primary_restarted(simulation: Simulation, _: Actor) -> None:
    engine = simulation.engines[simulation.primary]
    engine.stop(clean=False)
    engine.start()


def operator_absent(simulation: Simulation, _: Actor) -> None:
    simulation.stalled = True


def operator_slow(simulation: Simulation, _: Actor) -> Callable[[], None]:
    simulation.stalled = True

    def back() -> None:
        simulation.stalled = False

    return back


def operator_late(simulation: Simulation, _: Actor) -> None:
    simulation.hook_mode = "late"


def server_clock_leaps(simulation: Simulation, _: Actor) -> None:
    """Another API server answers, whose clock is ahead."""
    simulation.now += timedelta(minutes=5)


def server_clock_falls_back(simulation: Simulation, _: Actor) -> None:
    simulation.now -= timedelta(minutes=5)


CALLS: dict[str, Fault] = {
    "refused (429, 500, time-out before it was done)": injected("refuse"),
    "done, and the answer lost (connection cut)": injected("lose"),
    "conflict (409)": injected("conflict"),
    "watch ends silently": injected("silence"),
    "command hangs": injected("hang"),
    "volume full when the mark is written": injected("torn"),
    "SIGTERM": sigterm,
}
PLATFORM: dict[str, Fault] = {
    each.__name__.replace("_", " "): each
    for each in (
        pod_deleted, pod_recreated, container_restarted, primary_restarted, operator_absent, operator_slow,
        operator_late, server_clock_leaps, server_clock_falls_back,
    )
}  # fmt: skip
FAULTS = CALLS | PLATFORM


def cells(
    prepare: Callable[[], Simulation], start: Callable[[Simulation], Actor], fault: Fault
) -> list[tuple[Simulation, Actor]]:
    """The call with the fault before its first step, before its second, and so on to its end."""
    found: list[tuple[Simulation, Actor]] = []
    while True:
        simulation = prepare()
        actor = start(simulation)
        for _ in range(len(found)):
            actor.advance()
        if actor.ended:
            assert len(found) > 10
            return found
        over = fault(simulation, actor)
        for _ in range(LATER if over else 0):
            actor.advance()
        if over:
            over()
        found.append((simulation, run(simulation, actor)))


def calm(simulation: Simulation) -> None:
    simulation.stalled, simulation.hook_mode = False, "now"
    for _ in range(5):
        simulation.tick(2 * TICK)


def backed_up(flavour: Flavour) -> Simulation:
    simulation = Simulation(flavour)
    assert start_fence(simulation).finish().succeeded
    simulation.snapshot("pg-2")
    return simulation


@FLAVOURS
@pytest.mark.parametrize("fault", FAULTS)
def test_fence(flavour: Flavour, fault: str) -> None:
    """Success is a cold backup; failure leaves nothing, and the next run succeeds."""
    for simulation, actor in cells(lambda: Simulation(flavour), start_fence, FAULTS[fault]):
        assert actor.exit_code in {0, 1, 2, 3, 4}, actor.outcome
        calm(simulation)
        if actor.exit_code == 4:
            assert run(simulation, start_unfence(simulation, Outcome.FAILURE)).succeeded
        again = actor if actor.succeeded else run(simulation, start_fence(simulation))
        assert again.succeeded, again.outcome
        simulation.snapshot("pg-2")
        verdict = run(simulation, start_unfence(simulation, Outcome.SUCCESS))
        assert verdict.exit_code in {0, 2}, verdict.outcome  # and 0 is checked against what was copied
        release_all(simulation)


@FLAVOURS
@pytest.mark.parametrize("fault", FAULTS)
def test_unfence(flavour: Flavour, fault: str) -> None:
    """A fence that held is told so by this run or by the next, unless PostgreSQL ran or the time was up."""
    for simulation, actor in cells(
        lambda: backed_up(flavour), lambda each: start_unfence(each, Outcome.SUCCESS), FAULTS[fault]
    ):
        assert actor.exit_code in {0, 1, 2, 4}, actor.outcome
        calm(simulation)
        again = run(simulation, start_unfence(simulation, Outcome.SUCCESS))
        if fault in CALLS:
            assert again.succeeded, again.outcome
            record = own_record_of(simulation.cluster())
            assert record
            assert (record.state, record.verdict) == (State.ENDED, Verdict.HELD)
        release_all(simulation)


@FLAVOURS
def test_the_next_run_after_any_two_failures_in_a_row(flavour: Flavour) -> None:
    """The roll-back is disturbed, too."""
    for kind in ("refuse", "lose"):

        def twice(_: Simulation, actor: Actor, kind: str = kind) -> None:
            actor.faults.extend([kind, kind])

        for simulation, actor in cells(lambda: Simulation(flavour), start_fence, twice):
            calm(simulation)
            if not actor.succeeded:
                assert run(simulation, start_fence(simulation)).succeeded
            release_all(simulation)
