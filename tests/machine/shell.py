"""InstanceShell over the simulated instances. What blocks lets time pass, step by step."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Protocol

from kanfunc.domain.activity import Activity, Subscriptions
from kanfunc.domain.errors import ExecFailed
from kanfunc.domain.facts import Bound, Inspection, Replay, Stopped
from kanfunc.domain.hooks import Argv
from kanfunc.domain.lsn import Lsn
from kanfunc.domain.mark import MARK_FILE, Inscription, read_mark
from kanfunc.domain.record import Proof
from kanfunc.domain.replication import Replication, Standby
from kanfunc.domain.survey import Names
from kanfunc.domain.timeline import PrimaryFacts, PromotionFacts, ResumptionFacts, Switch
from kanfunc.domain.world import ClusterRef, Instance, Volume
from tests.builders import ON_ERROR, POST
from tests.machine.engine import STEP, SYSTEM_IDENTIFIER, Engine
from tests.machine.objects import Pending
from tests.machine.simulation import Simulation

LIFT_DELAY = timedelta(seconds=5)


class Waiting(Protocol):
    """Whoever called."""

    def wait(self) -> None:
        """Let time pass."""


class SimulatedShell:
    """See InstanceShell."""

    def __init__(self, simulation: Simulation, actor: Waiting) -> None:
        self._simulation, self._actor = simulation, actor

    def _running(self, instance: str) -> Engine:
        engine = self._simulation.engines[instance]
        if not engine.running:
            raise ExecFailed(f"psql: no server on {instance}")
        return engine

    def _wait(self, condition: Callable[[], bool], seconds: float) -> bool:
        end = self._simulation.now + timedelta(seconds=seconds)
        while not condition():
            if self._simulation.now >= end:
                return False
            self._actor.wait()
        return True

    def replication(self, ref: ClusterRef, primary: str) -> Replication:
        leader = self._running(primary)
        standbys = [
            Standby(name=name, state="streaming", sync_state="async", replay_lsn=Lsn(engine.position))
            for name, engine in self._simulation.engines.items()
            if name != self._simulation.primary and engine.running
        ]
        return Replication(
            in_recovery=primary != self._simulation.primary,
            system_identifier=SYSTEM_IDENTIFIER,
            standbys=tuple(standbys) if leader.running else (),
            flushed=Lsn(leader.position) if primary == self._simulation.primary else None,
        )

    def emit_bound(self, ref: ClusterRef, primary: str, fence_id: str) -> Bound:
        self._running(primary)
        if primary != self._simulation.primary:
            raise ExecFailed("cannot execute in a read-only transaction")
        self._simulation.commit()
        position = self._simulation.engines[primary].position
        return Bound(xid=f"{position // STEP}", flushed=Lsn(position))

    def await_replay(self, ref: ClusterRef, instance: str, bound: Lsn, seconds: float) -> Replay:
        engine = self._running(instance)
        reached = self._wait(lambda: self._running(instance).position >= bound, seconds)
        return Replay(reached, Lsn(engine.position), 0.0)

    def run_hook(self, ref: ClusterRef, instance: str, argv: Argv, seconds: float) -> None:
        simulation = self._simulation
        if argv in {POST, ON_ERROR}:
            simulation.pending.append(Pending(simulation.now + LIFT_DELAY, instance, lifts=True))
        elif instance == simulation.primary:
            raise ExecFailed("the operator does not fence a primary without permission")
        elif simulation.hook_mode == "late":
            simulation.pending.append(Pending(simulation.now + timedelta(seconds=seconds / 2), instance))
            raise ExecFailed("the connection was cut")
        elif simulation.hook_mode == "fails":
            raise ExecFailed("exit code 1")
        else:
            simulation.place(instance)

    def await_stopped(self, ref: ClusterRef, instance: str, seconds: float) -> Stopped:
        engine = self._simulation.engines[instance]
        if not self._wait(lambda: not engine.running, seconds):
            raise ExecFailed("still runs", timed_out=True)
        return Stopped(engine.control, engine.tail, engine.digest)

    def inspect(self, ref: ClusterRef, instance: Instance, volumes: Sequence[Volume]) -> Inspection:
        engine = self._simulation.engines[instance.name]
        return Inspection(
            running=engine.running,
            digest=engine.digest,
            files={
                each.name: Inscription(
                    mark=engine.marks.get(each.name, ""), verdict=engine.verdicts.get(each.name, "")
                )
                for each in volumes
            },
        )

    def inscribe(
        self, ref: ClusterRef, instance: Instance, volumes: Sequence[Volume], name: str, text: str
    ) -> None:
        engine = self._simulation.engines[instance.name]
        files = engine.marks if name == MARK_FILE else engine.verdicts
        files.update({volume.name: text for volume in volumes})

    def erase_marks(
        self, ref: ClusterRef, instance: Instance, volumes: Sequence[Volume], fence_id: str
    ) -> None:
        marks = self._simulation.engines[instance.name].marks
        for volume in volumes:
            mark = read_mark(marks.get(volume.name, ""))
            if mark and mark.id == fence_id:
                del marks[volume.name]

    def await_streaming(
        self, ref: ClusterRef, primary: str, instance: str, seconds: float, *, caught_up: bool
    ) -> bool:
        self._running(primary)
        return self._wait(lambda: self._simulation.engines[instance].running, seconds)

    def await_writable(self, ref: ClusterRef, primary: str, seconds: float) -> bool:
        return self._wait(lambda: self._simulation.engines[primary].running, seconds)

    def activity(self, ref: ClusterRef, primary: str) -> Activity:
        self._running(primary)
        return Activity(
            workers=4,
            libraries="",
            strangers=(),
            subscriptions=Subscriptions(0, 0, ()),
            closed=Names(0, ()),
        )

    def primary_facts(self, ref: ClusterRef, primary: str, xid: str) -> PrimaryFacts:
        engine = self._running(primary)
        lines = [f"{line}\t{Lsn(position)}\tx\n" for line, position, _ in engine.history]
        return PrimaryFacts(
            system_identifier=SYSTEM_IDENTIFIER,
            timeline=engine.timeline,
            xid_status="committed" if int(xid) * STEP <= engine.position else "in the future",
            history="".join(lines),
        )

    def superusers(self, ref: ClusterRef, primary: str, users: Sequence[str]) -> tuple[str, ...]:
        return ()

    def promotion(self, ref: ClusterRef, instance: str, switch: Switch) -> PromotionFacts:
        history = self._simulation.engines[instance].history
        at = next((at for line, position, at in history if position == switch.position), None)
        return PromotionFacts("", at)

    def resumption(self, ref: ClusterRef, instance: str, proof: Proof) -> ResumptionFacts:
        return ResumptionFacts("", "")
