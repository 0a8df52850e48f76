"""Each request of fence and unfence x each answer of an API server in trouble, by the real client over HTTP;
and each piece of what the server says, cut in its middle by a TCP proxy.

Where it says `once` the client repeats the request; else the trouble outlasts its patience. Every eighth
request or piece, a different one for each trouble; `KANFUNC_EVERY_REQUEST` takes them all (`make test-all`).
"""

import os
from collections.abc import Callable
from functools import partial
from itertools import count

import pytest

from kanfunc.domain.flavour import CNPG, EDB, Flavour
from kanfunc.gateways import kubeclient
from kanfunc.operations.unfence import Outcome
from tests.lab.apiserver import Drop, Fault, LoseAnswer, Refuse, Request
from tests.lab.apiserver.faults import Action
from tests.lab.proxy import Proxy
from tests.machine import properties
from tests.machine.simulation import Simulation
from tests.machine.wire import Wire, wired

FLAVOURS = pytest.mark.parametrize("flavour", [EDB, CNPG], ids=lambda flavour: flavour.name)
ALL = int(kubeclient._RETRIES.total or 0) + 1
TROUBLES: dict[str, tuple[Action, int]] = {
    "409": (Refuse(409), 1), "410": (Refuse(410), 1),
    "429 once": (Refuse(429), 1), "429": (Refuse(429), ALL),
    "500 once": (Refuse(500), 1), "500": (Refuse(500), ALL),
    "504": (Refuse(504), ALL),
    "connection reset once": (Drop(), 1), "connection reset": (Drop(), ALL),
    "answer lost once": (LoseAnswer(), 1), "answer lost": (LoseAnswer(), ALL),
}  # fmt: skip


STRIDE = 1 if os.environ.get("KANFUNC_EVERY_REQUEST") else 8


def from_request(number: int) -> Callable[[Request], bool]:
    """That request, and those after it."""
    seen = count(1)
    return lambda request: request.plural != "events" and next(seen) >= number


def is_piece(wanted: int, number: int, _: bytes) -> bool:
    return number == wanted


def fence_and_judge(wire: Wire) -> None:
    """After the disturbed fence: a proven backup, and nothing left."""
    wire.server.faults.clear()
    wire.simulation.tick()
    assert wire.fence() == 0
    wire.simulation.snapshot("pg-2")
    assert wire.unfence(Outcome.SUCCESS) == 0
    wire.simulation.tick()
    properties.check_nothing_stands(wire.simulation)


def judge(wire: Wire) -> None:
    """After the disturbed unfence: the same verdict again."""
    wire.server.faults.clear()
    assert wire.unfence(Outcome.SUCCESS) == 0
    wire.simulation.tick()
    properties.check_nothing_stands(wire.simulation)


def requests(wire: Wire) -> int:
    return sum(each.plural != "events" for each in wire.server.requests)


def fenced(flavour: Flavour, *, backed_up: bool) -> Simulation:
    simulation = Simulation(flavour)
    if backed_up:
        with wired(simulation) as wire:
            assert wire.fence() == 0
        simulation.snapshot("pg-2")
    return simulation


@FLAVOURS
@pytest.mark.parametrize("verb", ["fence", "unfence"])
@pytest.mark.parametrize("trouble", TROUBLES)
def test_each_request(trouble: str, verb: str, flavour: Flavour) -> None:
    action, times = TROUBLES[trouble]
    number = list(TROUBLES).index(trouble) % STRIDE + 1
    while True:
        with wired(fenced(flavour, backed_up=verb == "unfence")) as wire:
            fault = Fault(from_request(number), action, times)
            wire.server.faults.append(fault)
            code = wire.fence() if verb == "fence" else wire.unfence(Outcome.SUCCESS)
            if fault.times == times:
                break  # there is no such request any more
            assert code in ({0} if "once" in trouble else {0, 1, 2, 3, 4})
            fence_and_judge(wire) if verb == "fence" else judge(wire)
        number += STRIDE
    assert code == 0
    assert number > 10


@FLAVOURS
@pytest.mark.parametrize("verb", ["fence", "unfence"])
def test_each_answer_cut_in_its_middle(verb: str, flavour: Flavour) -> None:
    number, cuts = 1, 1
    while cuts:
        with wired(fenced(flavour, backed_up=verb == "unfence")) as wire:
            with Proxy(wire.port, partial(is_piece, number)) as proxy:
                direct, wire.port = wire.port, proxy.port
                code = wire.fence() if verb == "fence" else wire.unfence(Outcome.SUCCESS)
                wire.port, cuts = direct, proxy.cuts
            assert code in {0, 1, 2, 4}
            fence_and_judge(wire) if verb == "fence" else judge(wire)
        number += STRIDE
    assert number > 10
