"""Calls of the product that can be stopped between any two steps, and killed there for good."""

from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, cast

from greenlet import GreenletExit, getcurrent, greenlet

from kanfunc.domain.errors import ApiFailed, Conflict, ExecFailed, KanfuncError, Terminated, WatchBroken
from kanfunc.ports import Ports, StructureShell
from tests.machine.api import SimulatedApi
from tests.machine.shell import SimulatedShell
from tests.machine.simulation import TICK, Simulation

NO_STRUCTURE = cast("StructureShell", None)
"""Simulated volumes have no tables."""

UNGATED = {"announce", "other_pods", "without_snapshot_class"}
PATCHES = {"annotate", "label"}


class Killed(BaseException):
    """kill -9: whatever the code still does has no effect any more."""


class Silence:
    """A Journal that keeps nothing."""

    def step(self, name: str, **fields: object) -> None: ...
    def warn(self, name: str, **fields: object) -> None: ...
    def output(self, key: str, value: str) -> None: ...


class Actor:
    """One call. `outcome` is its value or its failure, once it has ended; `steps` counts its port calls."""

    def __init__(self, simulation: Simulation, label: str, call: Callable[[Ports], Any]) -> None:
        self.simulation = simulation
        self.label = label
        self.steps = 0
        self.outcome: Any = None
        self.faults: deque[str] = deque()
        self.listed: frozenset[str] = frozenset()
        """UIDs of the snapshots that this call saw when it looked last."""
        self._killed = self._terminated = False
        self._clock = SimulatedClock(self)
        self._greenlet = greenlet(lambda: self._run(call))

    def _run(self, call: Callable[[Ports], Any]) -> None:
        api = Gate(SimulatedApi(self.simulation, self), self, lost=ApiFailed)
        shell = Gate(SimulatedShell(self.simulation, self), self, lost=ExecFailed)
        try:
            self.outcome = call(Ports(api, shell, NO_STRUCTURE, Silence(), self._clock))
        except (KanfuncError, Killed, GreenletExit) as end:
            self.outcome = end

    @property
    def ended(self) -> bool:
        return self._killed or self._greenlet.dead

    @property
    def succeeded(self) -> bool:
        return self._greenlet.dead and not isinstance(self.outcome, BaseException)

    @property
    def exit_code(self) -> int | None:
        """As the process would exit; None when it was killed or has not ended."""
        if not self.ended or isinstance(self.outcome, (Killed, GreenletExit)):
            return None
        return self.outcome.exit_code if isinstance(self.outcome, KanfuncError) else 0

    def advance(self) -> None:
        """Up to the next pause: before or after a step."""
        if not self.ended:
            self._greenlet.switch()

    def finish(self, limit: int = 5000) -> "Actor":
        """Up to the end."""
        for _ in range(limit):
            if self.ended:
                return self
            self.advance()
        raise AssertionError(f"{self.label} does not end")

    def kill(self) -> None:
        self._killed = True
        self.outcome = Killed()
        if self._greenlet:
            self._greenlet.throw(Killed)

    def terminate(self) -> None:
        self._terminated = True

    # ---- called from within

    def pause(self) -> None:
        if self._killed:
            raise Killed
        outside = getcurrent().parent
        assert outside
        outside.switch()
        if self._killed:
            raise Killed
        if self._terminated:
            self._terminated = False
            raise Terminated("ended by SIGTERM")

    def wait(self) -> None:
        """Time passes while this call blocks."""
        self.pause()
        self.simulation.tick()


class SimulatedClock:
    def __init__(self, actor: Actor) -> None:
        self._actor = actor

    def monotonic(self) -> float:
        return self._actor.simulation.now.timestamp()

    def sleep(self, seconds: float) -> None:
        if seconds > 0:
            self._actor.wait()


class Gate:
    """Every call through it is a step: a pause before its effect, and one after."""

    def __init__(self, target: Any, actor: Actor, *, lost: type[KanfuncError]) -> None:
        self._target, self._actor, self._lost = target, actor, lost

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._target, name)
        if name in UNGATED:
            return method
        if name.startswith("watch_"):
            return lambda *args: self._watched(method, args)
        return lambda *args, **kwargs: self._stepped(name, method, args, kwargs)

    def _stepped(self, name: str, method: Any, args: Any, kwargs: Any) -> Any:
        actor = self._actor
        actor.steps += 1
        actor.pause()
        fault = actor.faults.popleft() if actor.faults else ""
        if fault == "conflict" and name in PATCHES:
            raise Conflict("somebody else was faster")
        if fault in {"refuse", "conflict"}:
            raise self._lost(f"{name} was refused")
        if fault == "torn" and name == "inscribe":  # the volume is full: half of the file is there
            args = (*args[:-1], args[-1][: len(args[-1]) // 2])
        value = method(*args, **kwargs)
        if fault == "hang":
            actor.wait()
        if fault in {"lose", "hang", "torn"}:
            # the client repeats a patch whose answer was lost, and then its tests fail
            raise Conflict("lost") if name in PATCHES else self._lost(f"the end of {name} was not seen")
        actor.pause()
        return value

    def _watched(self, method: Any, args: Any) -> Iterator[Any]:
        actor = self._actor
        end = actor.simulation.now.timestamp() + args[-1]
        while True:
            actor.steps += 1
            actor.pause()
            fault = actor.faults.popleft() if actor.faults else ""
            if fault == "silence":
                return
            if fault:
                raise WatchBroken("cut")
            yield method(*args)
            if actor.simulation.now.timestamp() + TICK.total_seconds() > end:
                return
            actor.wait()
