"""The command line in this process, before one API server that holds a good cluster and many odd ones."""

import json
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from kubernetes.config import kube_config

from kanfunc.cli import app
from kanfunc.domain.flavour import EDB, Flavour
from kanfunc.gateways import kubeclient
from kanfunc.gateways.console import Console
from kanfunc.process import run
from tests.lab.apiserver import ApiServer, Store
from tests.lab.scripted import Scripted
from tests.odd.shapes import Case, fill


@dataclass(frozen=True)
class Ended:
    code: int
    out: str
    log: list[dict[str, Any]]

    def told_of(self, name: str) -> bool:
        return any(name in json.dumps(line) for line in self.log)


@dataclass
class Odd:
    """An API server with the good cluster, the odd ones, and what they are."""

    cases: list[Case]
    flavour: Flavour
    folder: Path
    world: Scripted = field(default_factory=lambda: Scripted(0, waits=0, looks=0, store=Store()))

    @property
    def store(self) -> Store:
        return self.world.store

    def kan(self, *arguments: str) -> Ended:
        log, out = StringIO(), StringIO()
        console = Console.__init__.__kwdefaults__
        before, Console.__init__.__kwdefaults__ = console, {"log": log, "out": out}
        try:
            with pytest.raises(SystemExit) as end:
                run(lambda: app(args=["--log-format", "json", *arguments], prog_name="kanfunc"))
        finally:
            Console.__init__.__kwdefaults__ = before
        assert isinstance(end.value.code, int)
        return Ended(
            end.value.code, out.getvalue(), [json.loads(line) for line in log.getvalue().splitlines()]
        )


World = Callable[..., Odd]


@pytest.fixture
def odd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    hooks = sys.excepthook, sys.unraisablehook, threading.excepthook
    monkeypatch.setattr(kubeclient, "_RETRIES", kubeclient._RETRIES.new(backoff_factor=0, total=0))
    servers: list[ApiServer] = []

    def made(cases: list[Case], flavour: Flavour = EDB) -> Odd:
        world = Odd(cases, flavour, tmp_path)
        fill_anew(world)
        server = ApiServer(world.store, world.world).start()
        servers.append(server)
        server.write_kubeconfig(tmp_path / "kubeconfig")
        monkeypatch.setattr(kube_config, "KUBE_CONFIG_DEFAULT_LOCATION", str(tmp_path / "kubeconfig"))
        return world

    yield made
    for server in servers:
        server.stop()
    sys.excepthook, sys.unraisablehook, threading.excepthook = hooks
    for number, handler in handlers.items():
        signal.signal(number, handler)


def fill_anew(world: Odd) -> None:
    world.store._objects.clear()
    fill(world.store, world.cases, world.flavour)
