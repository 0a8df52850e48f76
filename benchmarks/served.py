"""An API server in a process of its own, so that its work is not counted as the product's."""

import multiprocessing
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from typing import Any

from tests.lab.apiserver import ApiServer, Request
from tests.lab.scripted import Scripted

Order = Callable[[Scripted, ApiServer], Any]
"""A module's function: it goes to the other process by its name."""


class Served:
    """Where it is, and what it is asked to do there."""

    def __init__(self, end: Connection) -> None:
        self._end = end
        self.url: str = end.recv()

    def do(self, order: Order) -> Any:
        """Its answer."""
        self._end.send(order)
        return self._end.recv()


def requests(_: Scripted, server: ApiServer) -> Counter[str]:
    """How often what was asked since the last time, by verb and kind."""
    found = Counter(map(_kind, server.requests))
    server.requests.clear()
    return found


def snapshot(world: Scripted, _: ApiServer) -> None:
    """See Scripted."""
    world.snapshot()


def fenced(world: Scripted, _: ApiServer) -> int:
    """How many instances are fenced."""
    return len(world.fenced())


def _kind(request: Request) -> str:
    return f"{request.verb} {request.plural}{'/' * bool(request.subresource)}{request.subresource}"


def _serve(end: Connection, make: Callable[[], Scripted]) -> None:
    world = make()
    with ApiServer(world.store, world) as server:
        end.send(server.url)
        with suppress(EOFError):  # whoever ordered is gone
            while True:
                end.send(end.recv()(world, server))


@contextmanager
def served(make: Callable[[], Scripted]) -> Iterator[Served]:
    """Serve what `make` makes there; its process ends with ours."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(theirs, make), daemon=True)
    process.start()
    theirs.close()  # so that its death ends our waiting for it
    try:
        yield Served(ours)
    finally:
        ours.close()
        process.join()
