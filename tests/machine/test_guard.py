"""The watchdog's looks at one cluster over time: one guard, many looks."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from kanfunc.domain.errors import StillStanding
from kanfunc.domain.flavour import CNPG, EDB, RECORD_ANNOTATION, Flavour
from kanfunc.domain.record import State, Verdict, own_record_of
from kanfunc.domain.standing import OnPrimaryLost
from kanfunc.operations.guard import RETRY_SECONDS, Guard, GuardLimits
from kanfunc.operations.unfence import Outcome
from kanfunc.ports import Ports
from tests.builders import KASTEN
from tests.lab.apiserver import PODS
from tests.machine import properties
from tests.machine.actors import Actor
from tests.machine.calls import FENCE_LIMITS, start_fence, start_unfence
from tests.machine.simulation import Simulation

PATIENCE = 30


class Told:
    """A Journal that keeps the names of its warnings."""

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def step(self, name: str, **fields: object) -> None: ...
    def output(self, key: str, value: str) -> None: ...

    def warn(self, name: str, **fields: object) -> None:
        self.warnings.append(name)


class Watch:
    """One guard in a simulated world."""

    def __init__(self, simulation: Simulation, on_primary_lost: OnPrimaryLost = OnPrimaryLost.HOLD) -> None:
        self.simulation = simulation
        self.told = Told()
        self._limits = GuardLimits(patience=PATIENCE, on_primary_lost=on_primary_lost)
        self._guard: Guard | None = None

    def look(self, faults: Sequence[str] = ()) -> float | None:
        """The actor carries one look; the guard outlives it."""

        def call(ports: Ports) -> float | None:
            ports = replace(ports, journal=self.told)
            if self._guard is None:
                self._guard = Guard(self.simulation.ref, ports, self._limits)
            self._guard._ports = ports
            return self._guard.look()

        actor = Actor(self.simulation, "look", call)
        actor.faults.extend(faults)
        wait: float | None = actor.finish().outcome
        return wait

    def look_later(self, seconds: float = PATIENCE) -> float | None:
        self.simulation.now += timedelta(seconds=seconds)
        return self.look()

    @property
    def standing(self) -> Any:
        assert self._guard
        return self._guard.standing

    @property
    def ended(self) -> int:
        assert self._guard
        return self._guard.ended


def fenced(flavour: Any = EDB) -> Simulation:
    simulation = Simulation(flavour)
    assert start_fence(simulation).finish().succeeded
    return simulation


def test_a_standing_fence_is_looked_at_again_at_its_deadline_at_the_latest() -> None:
    watch = Watch(fenced())
    assert watch.look() == PATIENCE
    left = FENCE_LIMITS.deadline - timedelta(seconds=PATIENCE)
    watch.simulation.now += left + timedelta(seconds=5)
    wait = watch.look()
    assert wait is not None
    assert wait < PATIENCE
    assert watch.ended == 0
    watch.look_later(60)
    assert watch.ended == 1
    assert watch.standing.record.verdict is Verdict.BROKEN
    watch.simulation.tick()
    properties.check_nothing_stands(watch.simulation)


def test_a_cluster_without_a_fence_costs_no_further_look() -> None:
    watch = Watch(Simulation(EDB))
    assert watch.look() is None
    assert watch.standing.record is None


@pytest.mark.parametrize("outcome", Outcome)
def test_nobody_lifts_a_fence_while_nobody_leads(outcome: Outcome) -> None:
    """Not a hook either: the operator would promote the stale replica."""
    simulation = fenced()
    simulation.lose_primary_for_good()
    fences = simulation.fenced
    assert fences
    assert isinstance(start_unfence(simulation, outcome).finish().outcome, StillStanding)
    assert simulation.fenced == fences
    start_unfence(simulation, outcome, OnPrimaryLost.RELEASE).finish()
    assert simulation.fenced == []


@pytest.mark.parametrize("flavour", [EDB, CNPG], ids=lambda flavour: flavour.name)
def test_a_fence_that_fails_is_not_lifted_while_nobody_leads(flavour: Flavour) -> None:
    """Wherever in it the primary is lost: what stands by then is held, and told."""
    held = 0
    for steps in range(1000):
        simulation = Simulation(flavour)
        actor = start_fence(simulation)
        for _ in range(steps):
            actor.advance()
        if actor.ended:
            break
        simulation.lose_primary_for_good()
        fences = simulation.fenced
        actor.terminate()
        actor.finish()
        assert not fences or simulation.fenced == fences
        assert bool(simulation.fenced) is isinstance(actor.outcome, StillStanding), actor.outcome
        held += bool(fences)
    assert held


def test_a_lost_primary_is_told_once_with_the_bytes_at_stake() -> None:
    watch = Watch(fenced())
    watch.look()
    assert not watch.standing.primary_lost
    watch.simulation.commit()
    watch.look_later(1)
    watch.simulation.lose_primary_for_good()
    watch.look_later()
    assert not watch.standing.primary_lost, "it may come back at once"
    for _ in range(3):
        watch.look_later()
    assert watch.standing.primary_lost
    assert watch.standing.bytes_at_stake > 0
    assert watch.told.warnings.count("primary lost") == 1


def test_an_alarm_outlasts_a_look_that_fails() -> None:
    watch = Watch(fenced())
    watch.simulation.lose_primary_for_good()
    watch.look()
    watch.look_later()
    assert watch.standing.primary_lost
    watch.look(faults=["", "refuse"])
    assert watch.standing.failure
    assert watch.standing.primary_lost
    watch.look()
    assert not watch.standing.failure


def test_a_fence_is_held_beyond_its_deadline_while_nobody_leads() -> None:
    watch = Watch(fenced())
    watch.simulation.lose_primary_for_good()
    watch.look()
    watch.look_later(2 * FENCE_LIMITS.deadline.total_seconds())
    record = own_record_of(watch.simulation.cluster())
    assert record
    assert record.state is State.SEALED
    assert watch.simulation.fenced == ["pg-2"]


def test_a_fence_is_released_when_nobody_leads_where_that_is_wanted() -> None:
    watch = Watch(fenced(), OnPrimaryLost.RELEASE)
    watch.simulation.lose_primary_for_good()
    watch.look()
    assert watch.simulation.fenced == ["pg-2"]
    watch.look_later()
    assert watch.simulation.fenced == []
    assert watch.standing.record.verdict is Verdict.BROKEN
    assert watch.ended == 1


def released(simulation: Simulation) -> None:
    start_unfence(simulation, Outcome.FAILURE).finish()


def test_an_instance_is_away_until_it_streams_and_then_never_asked_for_again() -> None:
    watch = Watch(fenced())
    watch.look()
    watch.simulation.stalled = True  # the operator does not start it
    released(watch.simulation)
    watch.look()
    assert watch.standing.away
    watch.simulation.stalled = False
    watch.simulation.tick()
    watch.look()
    assert not watch.standing.away
    assert watch.standing.return_seconds > 0
    watch.simulation.engines["pg-2"].stop()
    assert watch.look() is None, "what stops later has nothing to do with the fence"
    assert not watch.standing.away


def test_how_long_a_return_took_is_not_guessed() -> None:
    """By a watchdog that was started afterwards."""
    simulation = fenced()
    released(simulation)
    simulation.tick()
    watch = Watch(simulation)
    assert watch.look() is None
    assert (watch.standing.away, watch.standing.return_seconds) == (False, None)


def test_a_return_that_was_seen_is_measured_though_the_fence_was_not() -> None:
    simulation = fenced()
    simulation.stalled = True
    released(simulation)
    watch = Watch(simulation)
    watch.look()
    assert watch.standing.away
    simulation.stalled = False
    simulation.tick()
    watch.look()
    assert watch.standing.return_seconds > 0


def test_an_instance_that_others_have_fenced_is_no_alarm() -> None:
    watch = Watch(fenced())
    watch.look()
    released(watch.simulation)
    watch.simulation.write_fences(["pg-2"])
    watch.simulation.tick()
    assert watch.look() is None
    assert not watch.standing.away


def test_a_relic_is_told_and_left_alone() -> None:
    simulation = fenced()
    text = simulation.cluster().annotations[RECORD_ANNOTATION]
    restored = Simulation(EDB)
    restored.annotate(RECORD_ANNOTATION, text.replace(simulation.cluster().uid, "another-uid"))
    watch = Watch(restored)
    assert watch.look() is None
    assert watch.standing.relic
    assert watch.told.warnings == ["restore not verified"]
    assert RECORD_ANNOTATION in restored.cluster().annotations


def test_an_unreadable_record_is_told_and_looked_at_again() -> None:
    simulation = Simulation(EDB)
    simulation.annotate(RECORD_ANNOTATION, "{")
    watch = Watch(simulation)
    for _ in range(3):
        assert watch.look() == RETRY_SECONDS
    assert "cannot be read" in watch.standing.failure
    assert watch.told.warnings == ["look failed"], "the same failure is told once"
    simulation.annotate(RECORD_ANNOTATION, None)
    assert watch.look() is None
    assert watch.standing.failure == ""


def elected(simulation: Simulation) -> list[str]:
    pods = simulation.store.list(PODS, simulation.ref.namespace, labels=f"{KASTEN}/hasHooks=true")
    return [pod["metadata"]["name"] for pod in pods]


def test_an_election_outlasts_a_replica_that_is_away_for_a_moment() -> None:
    watch = Watch(Simulation(CNPG))
    assert watch.look() is None
    assert (watch.standing.elected, elected(watch.simulation)) == ("pg-2", ["pg-2"])
    watch.simulation.engines["pg-2"].stop()
    not_ready = {"conditions": [{"type": "Ready", "status": "False"}]}
    watch.simulation.set_status(PODS, "pg-2", not_ready)
    assert watch.look() == PATIENCE
    assert elected(watch.simulation) == ["pg-2"]
    watch.look_later()
    assert elected(watch.simulation) == ["pg-3"]
    assert watch.standing.elected == "pg-3"


def test_an_elected_instance_that_leads_is_elected_no_more() -> None:
    watch = Watch(Simulation(CNPG))
    watch.look()
    watch.simulation.lagging = {"pg-3"}
    watch.simulation.commit()
    watch.simulation.lose_primary()
    assert watch.simulation.primary == "pg-2"
    watch.look()
    assert elected(watch.simulation) != ["pg-2"]
