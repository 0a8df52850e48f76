"""The command line in this process, against a simulated API server whose containers only answer questions."""

import json
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from kubernetes.config import kube_config

from kanfunc.cli import app
from kanfunc.gateways import kubeclient, scripts
from kanfunc.gateways.console import Console
from kanfunc.process import run
from tests.builders import REF, Scene, healthy
from tests.gateways.conftest import put
from tests.lab.apiserver import (
    EDB_BACKUPS,
    EDB_CLUSTERS,
    NAMESPACES,
    PODS,
    PVCS,
    ApiServer,
    ExecRequest,
    Reply,
    Store,
)
from tests.lab.apiserver.resources import RESOURCES

MUTATING = {"create", "update", "patch", "delete", "deletecollection"}
ALL = {"pg-2": "streaming", "pg-3": "streaming"}


@dataclass
class World:
    """A scene behind an API server; `standbys` is what the primary says of them."""

    scene: Scene = field(default_factory=healthy)
    standbys: dict[str, str] = field(default_factory=lambda: dict(ALL))
    in_recovery: bool = False

    def answer(self, request: ExecRequest) -> Reply:
        """Only the question that comes before every decision is answered."""
        if scripts.REPLICATION not in request.command:
            raise AssertionError(f"something was run: {request.command}")
        rows = [{"name": n, "state": s, "sync_state": "async"} for n, s in self.standbys.items()]
        facts = {"in_recovery": self.in_recovery, "system_identifier": "7", "standbys": rows}
        return Reply(0, stdout=json.dumps(facts))

    def fill(self, store: Store) -> None:
        store.create(NAMESPACES, {"metadata": {"name": REF.namespace}})
        put(store, EDB_CLUSTERS, self.scene.cluster)
        for resource, manifests in (
            (PODS, self.scene.pods.values()),
            (PVCS, self.scene.claims.values()),
            (EDB_BACKUPS, self.scene.backups),
        ):
            for manifest in manifests:
                put(store, resource, manifest)


@dataclass(frozen=True)
class Ended:
    """How a call ended, and what it left."""

    exit_code: int
    stdout: str
    log: str
    usage: str
    changed: bool
    wrote: list[Any]

    @property
    def failure(self) -> dict[str, Any]:
        """The one line of the log that is an error."""
        lines = [json.loads(line) for line in self.log.splitlines()]
        [failure] = [line for line in lines if line["level"] == "error"]
        found: dict[str, Any] = failure
        return found


Call = Callable[..., Ended]


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Any) -> Iterator[Call]:
    """`call(world, *arguments)`: run the product once; keyword `prepare` gets the server before that."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    monkeypatch.setattr(kubeclient, "_RETRIES", kubeclient._RETRIES.new(backoff_factor=0, total=1))

    def called(
        world: World,
        *arguments: str,
        prepare: Callable[[ApiServer], None] | None = None,
        kubeconfig: Path | None = None,
    ) -> Ended:
        store, log, out = Store(), StringIO(), StringIO()
        world.fill(store)
        with ExitStack() as stack:
            server = stack.enter_context(ApiServer(store, world.answer))
            server.write_kubeconfig(tmp_path / "kubeconfig")
            # the client reads KUBECONFIG when it is imported
            where = str(kubeconfig or tmp_path / "kubeconfig")
            monkeypatch.setattr(kube_config, "KUBE_CONFIG_DEFAULT_LOCATION", where)
            monkeypatch.setattr(Console.__init__, "__kwdefaults__", {"log": log, "out": out})
            if prepare:
                prepare(server)
            before = contents(store)
            with pytest.raises(SystemExit) as end:
                run(lambda: app(args=["--log-format", "json", *arguments], prog_name="kanfunc"))
            wrote = [each for each in server.requests if each.verb in MUTATING and not each.subresource]
            code = end.value.code
            assert isinstance(code, int)
            return Ended(
                code, out.getvalue(), log.getvalue(), capfd.readouterr().err,
                contents(store) != before, [each for each in wrote if each.plural != "events"],
            )  # fmt: skip

    yield called
    for number, handler in handlers.items():
        signal.signal(number, handler)


def contents(store: Store) -> list[Any]:
    """All objects but Events."""
    return [store.list(each) for each in RESOURCES if each.plural != "events"]
