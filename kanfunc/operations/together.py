"""The same work for several clusters at once, ending as one.

One cluster is worked on in the calling thread, as if this module were not there. Several are worked on in
threads, through ports that let no step begin once the work is stopped: by a failure of one of them, or by a
signal, which reaches the calling thread alone. What is under way then is waited for; patches of ours to their
very end, so that none comes after a roll-back. All else that takes longer is left to itself, as a signal
leaves it where there is one cluster: a command limits itself in its pod, a read changes nothing, and the
thread comes back to a closed gate. The threads are daemons: none keeps the process.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, wait
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from threading import Event, Lock, Thread
from typing import Any, TypeVar, cast

from kanfunc.domain.errors import Terminated
from kanfunc.domain.unexpected import contained
from kanfunc.ports import ClusterApi, InstanceShell, Ports

Item = TypeVar("Item")
Result = TypeVar("Result")

AT_ONCE = 32
"""Twenty clusters are to take little longer than one, so they must not queue. Each costs the API server a
connection and a command: hundreds of them at once would be a load that one backup must not be."""
GRACE_SECONDS = 5.0
"""For what is under way when the work is stopped: a pod that is to roll back is killed 30 s after SIGTERM."""
_PATCHES = frozenset({"annotate", "label"})


class Halted(BaseException):
    """Unwinds the work of a thread. No failure: nobody may handle it, or tell of it."""


def together(action: Callable[[Item, Ports], Result], items: Sequence[Item], ports: Ports) -> list[Result]:
    """`action` for every item with the ports that it is to use; the results in the order of the items.

    Raises the first failure, or Terminated: then no thread does anything any more.
    """
    if len(items) <= 1:
        return [_alone(action, item, ports) for item in items]
    stop = Event()
    outcomes: list[Future[Result]] = [Future() for _ in items]
    todo = deque(zip(items, outcomes, strict=True))
    gates = [_Gate(stop) for _ in range(min(AT_ONCE, len(items)))]
    threads = [
        Thread(target=_work, args=(action, todo, gate.before(ports), stop), daemon=True) for gate in gates
    ]
    try:
        for thread in threads:
            thread.start()
        wait(outcomes, return_when=FIRST_EXCEPTION)
        return _results(outcomes)
    except BaseException:
        stop.set()
        try:
            _settle(threads, gates, ports)
        except Terminated:  # it comes once
            _settle(threads, gates, ports)
            raise
        raise


def _results(outcomes: Sequence[Future[Result]]) -> list[Result]:
    """Those of all, else the first failure. Who was halted by it may have told so before."""
    for outcome in outcomes:
        if outcome.done() and not isinstance(outcome.exception(), Halted | None):
            outcome.result()
    return [outcome.result() for outcome in outcomes]


def _alone(action: Callable[[Item, Ports], Result], item: Item, ports: Ports) -> Result:
    """What nobody foresaw is the failure of this cluster, and ends all of them as any other failure does."""
    with contained(getattr(item, "ref", item)):
        return action(item, ports)


def _work(
    action: Callable[[Item, Ports], Result],
    todo: deque[tuple[Item, Future[Result]]],
    ports: Ports,
    stop: Event,
) -> None:
    with suppress(IndexError):  # nothing is left to do
        while not stop.is_set():
            item, outcome = todo.popleft()
            try:
                outcome.set_result(_alone(action, item, ports))
            except BaseException as failure:  # noqa: BLE001 - the calling thread raises it
                outcome.set_exception(failure)
                stop.set()


def _settle(threads: Sequence[Thread], gates: Sequence["_Gate"], ports: Ports) -> None:
    """Afterwards no patch is under way, and nothing else that would have ended soon."""
    end = ports.clock.monotonic() + GRACE_SECONDS
    for thread in threads:
        if thread.is_alive():
            thread.join(max(0.0, end - ports.clock.monotonic()))
    for gate in gates:
        with gate.patching:
            pass


@dataclass
class _Gate:
    """What the steps of one thread pass through, as long as the work is not stopped."""

    stop: Event
    patching: Lock = field(default_factory=Lock)
    """Held while a patch is under way."""

    def before(self, ports: Ports) -> Ports:
        return replace(
            ports,
            api=cast("ClusterApi", _Gated(ports.api, self)),
            shell=cast("InstanceShell", _Gated(ports.shell, self)),
        )

    def check(self) -> None:
        if self.stop.is_set():
            raise Halted

    def step(self, call: Callable[..., Any], *arguments: Any, is_patch: bool, **options: Any) -> Any:
        with self.patching if is_patch else nullcontext():
            self.check()
            result = call(*arguments, **options)
        self.check()
        return self._each(result) if isinstance(result, Iterator) else result

    def _each(self, states: Iterator[Any]) -> Iterator[Any]:
        for state in states:
            self.check()
            yield state


class _Gated:
    """A port behind a gate."""

    def __init__(self, port: object, gate: _Gate) -> None:
        self._port, self._gate = port, gate

    def __getattr__(self, name: str) -> Any:
        return partial(self._gate.step, getattr(self._port, name), is_patch=name in _PATCHES)
