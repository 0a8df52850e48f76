"""What many clusters cost beside one: time and requests of `fence` and `unfence`.

    python -m benchmarks.fleet [--quick]

Real are the two operations, their gateways, HTTP and WebSocket. The API server is the lab's, in a process of
its own; commands in pods are scripted: what waits for PostgreSQL takes half a second, any other one 50 ms.
That is less than in a real cluster, where a replica stops in seconds: what we add ourselves weighs more here.
"""

import argparse
import time
from dataclasses import dataclass
from functools import partial
from statistics import median

from kubernetes import client

from benchmarks.measure import Figure
from benchmarks.served import Served, fenced, requests, served, snapshot
from kanfunc.gateways.console import SystemClock
from kanfunc.gateways.instances import PodInstances
from kanfunc.gateways.kube import KubeApi
from kanfunc.gateways.kubeclient import tuned
from kanfunc.gateways.podexec import PodExec
from kanfunc.operations.fence import fence
from kanfunc.operations.unfence import Outcome, unfence
from kanfunc.ports import Ports
from tests.lab.scripted import Scripted
from tests.machine.actors import NO_STRUCTURE, Silence
from tests.machine.calls import FENCE_LIMITS, UNFENCE_LIMITS

WAITS, LOOKS = 0.5, 0.05
AIM_AT_TWENTY = 1.5
BOUND = "requests per cluster: one interpreter makes them all, and another one answers"


@dataclass(frozen=True)
class Cycle:
    """Seconds and requests of one fence and one unfence of all clusters."""

    fence: float
    unfence: float
    fence_requests: int
    unfence_requests: int


def ports_to(url: str) -> Ports:
    """As a process of the product has them."""
    configuration = tuned(client.Configuration(host=url))
    shell = PodInstances(PodExec(configuration))
    return Ports(KubeApi(configuration), shell, NO_STRUCTURE, Silence(), SystemClock())


def cycle(clusters: int) -> Cycle:
    """A fence and an unfence that succeed, of clusters that were never touched before."""
    refs = Scripted(clusters, WAITS, LOOKS).refs
    with served(partial(Scripted, clusters, WAITS, LOOKS)) as api:
        ports = ports_to(api.url)
        started = time.perf_counter()
        fence(refs, "bench", ports, FENCE_LIMITS)
        fencing = time.perf_counter() - started
        require(api, clusters)
        asked = api.do(requests).total()
        api.do(snapshot)
        started = time.perf_counter()
        unfence(refs, Outcome.SUCCESS, ports, UNFENCE_LIMITS)
        unfencing = time.perf_counter() - started
        require(api, 0)
        return Cycle(fencing, unfencing, asked, api.do(requests).total())


def require(api: Served, clusters: int) -> None:
    """A figure of work that was not done would be none."""
    if (found := api.do(fenced)) != clusters:
        raise AssertionError(f"{found} instances are fenced instead of {clusters}")


def figures(quick: bool) -> list[Figure]:  # noqa: FBT001 - as every benchmark
    """Times beside those of one cluster in the same round, and requests per cluster."""
    sizes, rounds = ((20,), 1) if quick else ((10, 20, 100), 3)
    pairs = {n: [(cycle(1), cycle(n)) for _ in range(rounds)] for n in sizes}
    found = []
    for n, measured in pairs.items():
        aim = AIM_AT_TWENTY if n == 20 and not quick else None  # noqa: PLR2004 - of one round only
        for verb in ("fence", "unfence"):
            ratio = median(getattr(many, verb) / getattr(one, verb) for one, many in measured)
            found.append(Figure(f"{verb}, {n} clusters", ratio, "x one cluster", aim, BOUND))
            asked = median(getattr(many, f"{verb}_requests") / n for _, many in measured)
            found.append(Figure(f"{verb}, {n} clusters", asked, "requests per cluster", None))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="20 clusters, one round")
    for figure in figures(parser.parse_args().quick):
        print(figure)


if __name__ == "__main__":
    main()
