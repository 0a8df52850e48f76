"""One `fence` as the command runs it, and how much of it was spent waiting: a child of `benchmarks.fence`.

    python -m benchmarks.ownpart NAMESPACE CLUSTER edb|cnpg [PROFILE]

Prints JSON: seconds in `total` and `waited`. PROFILE is a file for cProfile.
"""

import cProfile
import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

from kanfunc.domain.flavour import FLAVOURS
from kanfunc.domain.world import ClusterRef
from kanfunc.gateways.console import Console, LogFormat
from kanfunc.operations.coldstop import StopLimits
from kanfunc.operations.fence import FenceLimits, fence
from kanfunc.ports import Ports
from kanfunc.process import real_world

WAITS = ("await_replay", "run_hook", "await_stopped")
LIMITS = FenceLimits(
    deadline=timedelta(hours=1),
    max_age=timedelta(minutes=30),
    replay=60,
    stream=300,
    stop=StopLimits(hook=60, stop=180),
)


class Waiting:
    """Whatever stands behind it, with the seconds that its waits took."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self.seconds = 0.0

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        return self._timed(found) if name in WAITS else found

    def watch_cluster(self, *arguments: Any) -> Iterator[Any]:
        states = self._inner.watch_cluster(*arguments)
        while state := self._timed(next)(states, None):
            yield state

    def _timed(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*arguments: Any) -> Any:
            with self._counted():
                return function(*arguments)

        return timed

    @contextmanager
    def _counted(self) -> Iterator[None]:
        started = time.perf_counter()
        try:
            yield
        finally:
            self.seconds += time.perf_counter() - started


def named(namespace: str, cluster: str, flavour: str) -> ClusterRef:
    return ClusterRef(namespace, cluster, FLAVOURS[("edb", "cnpg").index(flavour)])


def waiting(ports: Ports) -> tuple[Ports, list[Waiting]]:
    api, shell = Waiting(ports.api), Waiting(ports.shell)
    return replace(ports, api=api, shell=shell), [api, shell]


def main() -> None:
    namespace, cluster, flavour, *profile = sys.argv[1:]
    ports, waits = waiting(real_world(Console("fence", LogFormat.JSON)))
    profiler = cProfile.Profile()
    if profile:
        profiler.enable()
    started = time.perf_counter()
    fence([named(namespace, cluster, flavour)], str(uuid4()), ports, LIMITS)
    total = time.perf_counter() - started
    if profile:
        profiler.dump_stats(profile[0])
    print(json.dumps({"total": total, "waited": sum(each.seconds for each in waits)}))


if __name__ == "__main__":
    main()
