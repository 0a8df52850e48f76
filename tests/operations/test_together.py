"""The same work for several clusters at once: what runs, what is stopped, what is waited for."""

import threading
from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest

from kanfunc.domain.errors import PlatformFailed, Terminated
from kanfunc.gateways.console import SystemClock
from kanfunc.operations.together import AT_ONCE, together
from kanfunc.ports import ClusterApi, InstanceShell, Journal, Ports, StructureShell
from tests.operations.conftest import interrupt

SOON = 10


class Hurried(SystemClock):
    """Whoever asks twice has waited for long."""

    def __init__(self) -> None:
        self._now = 0.0

    def monotonic(self) -> float:
        self._now += 1000
        return self._now


class World:
    """A port of which every step is the function that is given."""

    def __init__(self, **steps: Callable[..., Any]) -> None:
        self.__dict__.update(steps)


def ports(clock: SystemClock | None = None, **steps: Callable[..., Any]) -> Ports:
    world = World(**steps)
    return Ports(
        cast("ClusterApi", world),
        cast("InstanceShell", world),
        cast("StructureShell", None),
        cast("Journal", None),
        clock or SystemClock(),
    )


def step_of(given: Ports, name: str = "run_hook") -> Callable[..., Any]:
    """The steps here take no arguments of the product's."""
    return cast("Callable[..., Any]", getattr(given.api, name))


def test_one_is_worked_on_by_the_caller_with_its_own_ports() -> None:
    own = ports()
    [(seen, thread)] = together(lambda _, given: (given, threading.current_thread()), ["a"], own)
    assert seen is own
    assert thread is threading.current_thread()


def test_nothing_to_do() -> None:
    assert together(lambda *_: None, [], ports()) == []


def test_results_come_in_the_order_of_the_items() -> None:
    ends = [threading.Event() for _ in range(5)]
    ends[-1].set()

    def backwards(number: int, _: Ports) -> int:
        assert ends[number].wait(SOON)
        ends[number - 1].set()
        return number

    assert together(backwards, range(5), ports()) == list(range(5))


def test_so_many_at_once_and_no_more() -> None:
    lock, running, most = threading.Lock(), 0, 0
    together_there = threading.Barrier(AT_ONCE)

    def count(_: int, __: Ports) -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        together_there.wait(SOON)
        with lock:
            running -= 1

    together(count, range(2 * AT_ONCE), ports())
    assert most == AT_ONCE


def test_a_failure_ends_the_others_at_their_next_step() -> None:
    begun, failed = threading.Event(), threading.Event()
    steps: list[str] = []

    def step(name: str) -> None:
        steps.append(name)
        begun.set()
        assert failed.wait(SOON)

    def work(item: str, given: Ports) -> None:
        if item == "fails":
            assert begun.wait(SOON)
            threading.Timer(0.2, failed.set).start()
            raise PlatformFailed("it fails")
        step_of(given)(item)
        step_of(given)("one more")

    with pytest.raises(PlatformFailed, match="it fails"):
        together(work, ["fails", "goes on"], ports(run_hook=step))
    assert steps == ["goes on"], "what was under way has ended, and nothing was begun after it"


def test_what_was_not_begun_is_not_begun_any_more() -> None:
    begun: list[int] = []

    def work(item: int, _: Ports) -> None:
        begun.append(item)
        raise PlatformFailed(f"{item} fails")

    with pytest.raises(PlatformFailed):
        together(work, range(10 * AT_ONCE), ports())
    assert len(begun) < 10 * AT_ONCE


def test_a_patch_is_waited_for_however_long_it_takes() -> None:
    """One that came after the roll-back would leave a fence behind."""
    begun, failed, written = threading.Event(), threading.Event(), threading.Event()

    def annotate() -> None:
        begun.set()
        assert failed.wait(SOON)
        written.set()

    def work(item: str, given: Ports) -> None:
        if item == "fails":
            assert begun.wait(SOON)
            threading.Timer(0.2, failed.set).start()
            raise PlatformFailed("it fails")
        step_of(given, "annotate")()

    with pytest.raises(PlatformFailed):
        together(work, ["fails", "patches"], ports(Hurried(), annotate=annotate))
    assert written.is_set()


@pytest.mark.usefixtures("signals")
def test_a_signal_waits_for_no_command() -> None:
    """As where there is one cluster: it limits itself in its pod."""
    end, after = threading.Event(), threading.Event()

    def hang() -> None:
        interrupt()
        assert end.wait(SOON)

    def work(_: int, given: Ports) -> None:
        step_of(given)()
        after.set()

    with pytest.raises(Terminated):
        together(work, range(2), ports(Hurried(), run_hook=hang))
    assert not end.is_set()
    end.set()
    assert not after.wait(0.2), "whoever comes back does nothing any more"


def test_a_watch_ends_at_its_next_change() -> None:
    changes, seen = threading.Semaphore(2), threading.Semaphore(0)
    states: list[int] = []

    def watch() -> Iterator[int]:
        for number in range(10):
            assert changes.acquire(timeout=SOON)
            yield number

    def work(item: str, given: Ports) -> None:
        if item == "fails":
            assert seen.acquire(timeout=SOON)
            assert seen.acquire(timeout=SOON)
            threading.Timer(0.2, changes.release).start()
            raise PlatformFailed("it fails")
        for state in step_of(given, "watch_cluster")():
            states.append(state)
            seen.release()

    with pytest.raises(PlatformFailed):
        together(work, ["watches", "fails"], ports(watch_cluster=watch))
    assert states == [0, 1]
