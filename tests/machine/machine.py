"""Everything interleaved: calls of ours step by step, Kasten, people, the operator, failures, time."""

from datetime import timedelta
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from kanfunc.domain.flavour import CNPG, EDB, Flavour
from kanfunc.domain.record import own_record_of
from kanfunc.operations.unfence import Outcome
from tests.machine import properties
from tests.machine.actors import Actor
from tests.machine.calls import check_end, start_expiry, start_fence, start_unfence
from tests.machine.objects import EVERYONE, INSTANCES
from tests.machine.restored import check_report, restore, start_verify
from tests.machine.simulation import Simulation

ACTORS = 2
STEPS = {"taken": 0}
"""How many rules were run in this process, over all examples."""


class Protocol(RuleBasedStateMachine):
    """At most two calls of ours at once; each rule is one event in the world."""

    def __init__(self) -> None:
        super().__init__()
        self.simulation = Simulation()
        self.actors: list[Actor] = []

    @initialize(flavour=st.sampled_from([EDB, CNPG]), fenced=st.booleans())
    def begin(self, flavour: Flavour, fenced: bool) -> None:  # noqa: FBT001 - Hypothesis passes by name
        self.simulation = Simulation(flavour)
        if fenced:
            start_fence(self.simulation).finish()

    @invariant()
    def count(self) -> None:
        STEPS["taken"] += 1

    # ---- calls of ours

    def _add(self, actor: Actor) -> None:
        self.actors.append(actor)

    @precondition(lambda self: len(self.actors) < ACTORS)
    @rule()
    def call_fence(self) -> None:
        self._add(start_fence(self.simulation))

    @precondition(lambda self: len(self.actors) < ACTORS)
    @rule(outcome=st.sampled_from(Outcome))
    def call_unfence(self, outcome: Outcome) -> None:
        self._add(start_unfence(self.simulation, outcome))

    @precondition(lambda self: len(self.actors) < ACTORS)
    @rule()
    def call_expiry(self) -> None:
        self._add(start_expiry(self.simulation))

    @precondition(lambda self: self.actors)
    @rule(which=st.integers(0, ACTORS - 1), steps=st.integers(1, 60))
    def advance(self, which: int, steps: int) -> None:
        actor = self.actors[which % len(self.actors)]
        for _ in range(steps):
            actor.advance()
        self._collect()

    @precondition(lambda self: self.actors)
    @rule(which=st.integers(0, ACTORS - 1))
    def finish(self, which: int) -> None:
        self.actors[which % len(self.actors)].finish()
        self._collect()

    @precondition(lambda self: self.actors)
    @rule(which=st.integers(0, ACTORS - 1))
    def kill(self, which: int) -> None:
        self.actors.pop(which % len(self.actors)).kill()

    @precondition(lambda self: self.actors)
    @rule(which=st.integers(0, ACTORS - 1))
    def terminate(self, which: int) -> None:
        self.actors[which % len(self.actors)].terminate()

    @precondition(lambda self: self.actors)
    @rule(which=st.integers(0, ACTORS - 1), fault=st.sampled_from(["refuse", "lose"]))
    def disturb(self, which: int, fault: str) -> None:
        self.actors[which % len(self.actors)].faults.append(fault)

    def _collect(self) -> None:
        for actor in [each for each in self.actors if each.ended]:
            self.actors.remove(actor)
            check_end(self.simulation, actor)

    # ---- Kasten

    @precondition(lambda self: not self.actors)
    @rule()
    def back_up(self) -> None:
        """A policy's run up to its last hook, which others then disturb, or not."""
        if self._done(start_fence(self.simulation)).succeeded:
            self.snapshot_elected()
            self._add(start_unfence(self.simulation, Outcome.SUCCESS))

    @precondition(lambda self: not self.actors)
    @rule()
    def hook_is_repeated(self) -> None:
        self._done(start_unfence(self.simulation, Outcome.SUCCESS))

    def _done(self, actor: Actor) -> Actor:
        actor.finish()
        check_end(self.simulation, actor)
        return actor

    @rule()
    def snapshot_elected(self) -> None:
        record = own_record_of(self.simulation.cluster())
        self.simulation.snapshot(record.instance if record else "pg-2")

    @rule(claim=st.sampled_from(INSTANCES), cut=st.booleans())
    def snapshot_any(self, claim: str, cut: bool) -> None:  # noqa: FBT001 - Hypothesis passes by name
        self.simulation.snapshot(claim, cut=cut)

    @rule()
    def cut(self) -> None:
        for manifest in self.simulation.snapshots():
            if not manifest.get("status", {}).get("creationTime"):
                self.simulation.cut(manifest["metadata"]["name"])

    @precondition(lambda self: self.simulation.truth.copies)
    @rule(data=st.data(), captured=st.booleans())
    def restore(self, data: Any, captured: bool) -> None:  # noqa: FBT001 - Hypothesis passes by name
        """Elsewhere, from any copy there is: the world here goes on."""
        copies = self.simulation.truth.copies
        _, copy = copies[data.draw(st.sampled_from(sorted(copies, key=list(copies).index)))]
        actor = start_verify(restore(self.simulation, copy, captured=captured)).finish()
        if actor.succeeded:
            check_report(copy, actor.outcome)

    # ---- people

    @rule(entry=st.sampled_from([*INSTANCES, EVERYONE]))
    def person_fences(self, entry: str) -> None:
        self.simulation.truth.human.add(entry)
        self.simulation.write_fences([*self.simulation.fenced, entry])

    @rule(entry=st.sampled_from([*INSTANCES, EVERYONE]))
    def person_lifts(self, entry: str) -> None:
        self.simulation.truth.human.discard(entry)
        self.simulation.write_fences(each for each in self.simulation.fenced if each != entry)

    # ---- the operator's own Backup: takes a fence of its instance for its own, and lifts it

    @precondition(lambda self: not self.simulation.running_backups())
    @rule(instance=st.sampled_from(INSTANCES[1:]))
    def operator_backs_up(self, instance: str) -> None:
        self.simulation.begin_backup(instance)

    @precondition(lambda self: self.simulation.running_backups())
    @rule()
    def operator_ends_backup(self) -> None:
        self.simulation.end_backup()

    # ---- the world

    @rule()
    def pass_time(self) -> None:
        self.simulation.tick()

    @precondition(lambda self: not self.simulation.pending)
    @rule(minutes=st.sampled_from([2, 10, 40, 70]))
    def pass_much_time(self, minutes: int) -> None:
        """The watchdog looks before a late entry is nobody's any more."""
        self._done(start_expiry(self.simulation))
        self.simulation.tick(timedelta(minutes=minutes))

    @rule()
    def calm(self) -> None:
        """Whatever was wrong with the platform is mended, and people take their fences away."""
        simulation = self.simulation
        simulation.stalled, simulation.hook_mode, simulation.lagging = False, "now", set()
        simulation.clean_stops, simulation.lost_bytes = True, 0
        if simulation.running_backups():
            simulation.end_backup()
        simulation.write_fences(entry for entry in simulation.fenced if entry not in simulation.truth.human)
        simulation.truth.human.clear()
        simulation.tick()

    @rule()
    def commit(self) -> None:
        self.simulation.commit()

    @rule(instance=st.sampled_from(INSTANCES))
    def lag(self, instance: str) -> None:
        self.simulation.lagging ^= {instance}

    @rule()
    def stall_operator(self) -> None:
        self.simulation.stalled = not self.simulation.stalled

    @rule(mode=st.sampled_from(["now", "now", "late", "fails"]))
    def hook(self, mode: str) -> None:
        self.simulation.hook_mode = mode

    @rule(clean=st.booleans(), lost=st.sampled_from([0, 0, 0x1000]))
    def change_stops(self, clean: bool, lost: int) -> None:  # noqa: FBT001 - Hypothesis passes by name
        self.simulation.clean_stops, self.simulation.lost_bytes = clean, lost

    @rule()
    def person_flickers(self) -> None:
        """Lifts all fences and places them again: the annotations look as before."""
        before = self.simulation.fenced
        self.simulation.write_fences([])
        self.simulation.tick()
        self.simulation.truth.human.update(before)
        self.simulation.write_fences(before)
        self.simulation.tick()

    @rule(instance=st.sampled_from(INSTANCES))
    def replace_volume(self, instance: str) -> None:
        self.simulation.replace_volume(instance)

    @rule()
    def lose_primary(self) -> None:
        self.simulation.lose_primary()

    @rule(instance=st.sampled_from(INSTANCES))
    def replace_pod(self, instance: str) -> None:
        self.simulation.replace_pod(instance)

    @rule(instance=st.sampled_from(INSTANCES[1:]))
    def elect(self, instance: str) -> None:
        if instance != self.simulation.primary:
            self.simulation.relabel(instance)

    # ---- when all is over

    def teardown(self) -> None:
        simulation = self.simulation
        for actor in self.actors:
            actor.faults.clear()
            actor.finish()
            check_end(simulation, actor)
        simulation.stalled, simulation.hook_mode = False, "now"
        if simulation.running_backups():
            simulation.end_backup()
        for _ in range(5):
            simulation.tick()
        last = start_unfence(simulation, Outcome.FAILURE).finish()
        check_end(simulation, last)
        simulation.tick()
        properties.check_nothing_stands(simulation)


def settings_of(**changes: Any) -> Any:
    """Deterministic; the clock of the test machine decides nothing."""
    return settings(
        deadline=None, derandomize=True, database=None, print_blob=False,
        suppress_health_check=list(HealthCheck), **changes,
    )  # fmt: skip
