"""The clusters of one namespace, whatever they do to a look at them, leave room for those of the others."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event, Thread
from typing import Any, cast

import pytest

from kanfunc.domain.errors import Terminated
from kanfunc.domain.flavour import EDB
from kanfunc.domain.standing import OnPrimaryLost
from kanfunc.domain.world import Change, ClusterRef
from kanfunc.gateways.console import SystemClock
from kanfunc.operations import watchdog as module
from kanfunc.operations.guard import GuardLimits
from kanfunc.operations.watchdog import Watchdog
from kanfunc.ports import Fleet, Ports
from tests.machine.actors import Silence

WORKERS = 4


class Looks:
    """In place of a guard: those of one namespace last until all is over."""

    def __init__(self, over: Event, seen: Callable[[ClusterRef], None]) -> None:
        self._over, self._seen = over, seen

    def __call__(self, ref: ClusterRef, *_: object) -> Any:
        looks = self

        class Look:
            ended = 0
            standing = object()

            def look(self) -> float | None:
                looks._seen(ref)
                if ref.namespace == "hostile":
                    looks._over.wait(60)
                return None

        return Look()


class Everything:
    def __init__(self, refs: list[ClusterRef], over: Event) -> None:
        self._refs, self._over = refs, over

    def clusters(self, *_: object) -> Iterator[list[Change]]:
        yield [Change(ref) for ref in self._refs]
        self._over.wait(60)

    pods = volumes = clusters


@pytest.mark.timeout(60)
def test_one_namespace_leaves_room_for_others(monkeypatch: pytest.MonkeyPatch) -> None:
    over, good = Event(), Event()
    hostile = [ClusterRef("hostile", f"c{number}", EDB) for number in range(20)]
    others = [ClusterRef("good", "pg", EDB)]
    looked: list[ClusterRef] = []

    def seen(ref: ClusterRef) -> None:
        looked.append(ref)
        if ref.namespace == "good":
            good.set()

    monkeypatch.setattr(module, "Guard", Looks(over, seen))
    nothing = cast("Any", None)
    ports = Ports(nothing, nothing, nothing, journal=Silence(), clock=SystemClock())
    fleet = cast("Fleet", Everything(hostile + others, over))
    watchdog = Watchdog(ports, fleet, [EDB], [None], GuardLimits(30, OnPrimaryLost.HOLD))
    for ref in hostile + others:
        watchdog._post(ref)

    def end() -> None:
        raise Terminated("enough")

    with ThreadPoolExecutor(WORKERS) as pool:
        loop = Thread(target=watchdog.run, args=(pool,))
        loop.start()
        came = good.wait(10)
        over.set()
        watchdog._inbox.put(end)
        loop.join(20)
    assert came, "the other namespace's cluster waits for those of the first"
    assert len([ref for ref in looked if ref.namespace == "hostile"]) >= WORKERS / 2
