"""The server's life: one thread with one event loop, one port of the loopback interface."""

import asyncio
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Self, TypeVar

import yaml
from aiohttp import web

from tests.lab.apiserver.errors import internal
from tests.lab.apiserver.execs import ExecHandler, ExecRequest, Execs, Reply, Spawn
from tests.lab.apiserver.faults import Fault
from tests.lab.apiserver.handlers import Handler
from tests.lab.apiserver.routes import Request
from tests.lab.apiserver.store import Store
from tests.lab.apiserver.watches import Watches

_GRACE = 0.1
_T = TypeVar("_T")


def no_containers(request: ExecRequest) -> Spawn | Reply:
    """The exec handler of a cluster in which no container runs."""
    raise internal(f'container not found ("{request.container}")')


class ApiServer:
    """Serves `store` over HTTP between `start()` and `stop()`, or as a context manager.

    `requests` logs what was asked, `faults` what shall go wrong next: both may be used while it runs.
    Stopped and started again it has the same URL, so that a test can have an outage.
    """

    def __init__(self, store: Store, exec_handler: ExecHandler = no_containers) -> None:
        self.requests: list[Request] = []
        self.faults: list[Fault] = []
        self._store = store
        self._exec_handler = exec_handler
        self._port = 0
        self._running: _Running | None = None

    @property
    def url(self) -> str:
        """Where clients find it, once it was started."""
        return f"http://127.0.0.1:{self._port}"

    def write_kubeconfig(
        self,
        path: Path,
        token: str = "lab",  # noqa: S107  a name that is sent along, no secret
        namespace: str = "default",
    ) -> None:
        """Write a kubeconfig file for this server. The token is sent, but not checked."""
        context = {"cluster": "lab", "user": "lab", "namespace": namespace}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "lab",
            "clusters": [{"name": "lab", "cluster": {"server": self.url}}],
            "users": [{"name": "lab", "user": {"token": token}}],
            "contexts": [{"name": "lab", "context": context}],
        }
        path.write_text(yaml.safe_dump(config), encoding="utf-8")

    def start(self) -> Self:
        """Listen; returns once requests are taken. Raises OSError when the port cannot be had."""
        listening = socket.create_server(("127.0.0.1", self._port))
        self._port = listening.getsockname()[1]
        self._running = _Running(self._store, self._exec_handler, self.faults, self.requests, listening)
        return self

    def stop(self) -> None:
        """End all watches and commands and close every connection. May be called again.

        A handler of a command that is still at work is not waited for: whoever wrote it lets it end.
        """
        if self._running is not None:
            self._running.close()
            self._running = None

    def cut_watches(self) -> int:
        """Reset the connections of all open watches; how many there were."""
        return self._running.call(self._running.watches.cut) if self._running else 0

    def cut_execs(self) -> int:
        """Reset the connections of all commands, whose processes run on; how many there were."""
        return self._running.call(self._running.execs.cut) if self._running else 0

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()


class _Running:
    """A server between start and stop: its loop, the loop's thread, and what lives there."""

    def __init__(
        self,
        store: Store,
        exec_handler: ExecHandler,
        faults: list[Fault],
        requests: list[Request],
        listening: socket.socket,
    ) -> None:
        self.watches = Watches(store)
        self.execs = Execs(exec_handler)
        handler = Handler(store, self.watches, self.execs, faults, requests)
        self._asyncio = asyncio.Runner()
        self._sites = self._asyncio.run(_listen(handler, listening))
        self._loop = self._asyncio.get_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="apiserver", daemon=True)
        self._thread.start()

    def call(self, function: Callable[[], _T]) -> _T:
        """Call a function in the loop, from another thread."""

        async def called() -> _T:
            return function()

        return asyncio.run_coroutine_threadsafe(called(), self._loop).result()

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._asyncio.run(self._end())
        self._asyncio.close()

    async def _end(self) -> None:
        self.watches.close()
        await self.execs.close()
        await self._sites.cleanup()


async def _listen(handler: Handler, listening: socket.socket) -> web.ServerRunner:
    # Whoever waits for a client that left, waits for nothing: let aiohttp cancel it.
    server = web.Server(handler, handler_cancellation=True, access_log=None)
    sites = web.ServerRunner(server, shutdown_timeout=_GRACE)
    await sites.setup()
    await web.SockSite(sites, listening).start()
    return sites
