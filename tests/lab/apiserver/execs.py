"""Commands in pods: pods/exec over WebSocket, subprotocols v5 and v4.channel.k8s.io."""

import asyncio
import json
import os
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from aiohttp import WSMsgType, web

from tests.lab.apiserver.errors import StatusError, bad_request, internal
from tests.lab.apiserver.resources import Manifest

_PROTOCOLS = ("v5.channel.k8s.io", "v4.channel.k8s.io")
_STDIN, _STDOUT, _STDERR, _STATUS = 0, 1, 2, 3
_CLOSE_STDIN = bytes([255, _STDIN])
LONGEST_URL = 7500
"""Bytes of path and query. The API server takes more; proxies before it often stop at 8 kB."""
_CHUNK = 32 * 1024
_CLOSE_TIMEOUT = 1.0
_HANDLER_THREADS = 32


@dataclass(frozen=True)
class ExecRequest:
    """A command that a client wants to run in a container."""

    namespace: str
    pod: str
    container: str
    command: tuple[str, ...]


@dataclass(frozen=True)
class Spawn:
    """Run it as this process of the machine, in a session of its own."""

    args: list[str]
    env: dict[str, str]
    cwd: str
    user: int | None = None
    group: int | None = None


@dataclass(frozen=True)
class Reply:
    """It has already run, with this outcome."""

    exit_code: int
    stdout: str = ""
    stderr: str = ""


ExecHandler: TypeAlias = Callable[[ExecRequest], Spawn | Reply]
"""Decides what a command does, in a thread of its own: it may block, but no longer than the server runs.

Raises StatusError where the runtime would fail, for example `internal('container not found ("postgres")')`.
"""


class Execs:
    """All commands of one server; lives in the server's event loop.

    A process outlives its client, as it does in a real pod: it ends by itself or with `close()`.
    """

    def __init__(self, handler: ExecHandler) -> None:
        self._handler = handler
        self._handlers = ThreadPoolExecutor(_HANDLER_THREADS, thread_name_prefix="exec-handler")
        self._open: set[asyncio.Transport] = set()
        self._commands: set[asyncio.Task[None]] = set()
        self._processes: dict[asyncio.Task[None], int] = {}

    async def serve(self, http: web.BaseRequest, request: ExecRequest, *, stdin: bool) -> web.StreamResponse:
        """Run a command and carry its streams until it ends or the client leaves."""
        socket = web.WebSocketResponse(protocols=_PROTOCOLS, max_msg_size=0, timeout=_CLOSE_TIMEOUT)
        await socket.prepare(http)
        connection = _Connection(socket)
        command = asyncio.create_task(self._command(request, connection, stdin=stdin))
        self._commands.add(command)
        command.add_done_callback(self._commands.discard)
        transport = http.transport
        assert transport is not None  # the handshake has just gone through it
        self._open.add(transport)
        try:
            await connection.listen()
        finally:
            self._open.discard(transport)
        if command.done() and not command.cancelled():
            command.result()  # a bug in the handler belongs into the server's log
        return socket

    def cut(self) -> int:
        """Reset the connections of all clients, leave their processes running; how many there were."""
        for transport in self._open:
            transport.abort()
        return len(self._open)

    async def close(self) -> None:
        """Reset all connections, kill all processes, forget the handlers that are still at work."""
        self.cut()
        for command in self._commands - self._processes.keys():
            command.cancel()
        for process in self._processes.values():
            _kill_session(process)
        await asyncio.gather(*self._commands, return_exceptions=True)
        self._handlers.shutdown(wait=False, cancel_futures=True)

    async def _command(self, request: ExecRequest, connection: "_Connection", *, stdin: bool) -> None:
        try:
            exit_code = await self._exit_code(request, connection, stdin=stdin)
            await connection.send_status(_exit_status(request, exit_code))
        except StatusError as error:
            await connection.send_status(error.body())
        finally:
            await connection.hang_up()

    async def _exit_code(self, request: ExecRequest, connection: "_Connection", *, stdin: bool) -> int:
        loop = asyncio.get_running_loop()
        outcome = await loop.run_in_executor(self._handlers, self._handler, request)
        if isinstance(outcome, Spawn):
            return await self._run(outcome, connection, stdin=stdin)
        await connection.send(_STDOUT, outcome.stdout.encode())
        await connection.send(_STDERR, outcome.stderr.encode())
        return outcome.exit_code

    async def _run(self, spawn: Spawn, connection: "_Connection", *, stdin: bool) -> int:
        process = await _started(spawn, stdin=stdin)
        command = asyncio.current_task()
        assert command is not None
        assert process.stdout is not None
        assert process.stderr is not None
        self._processes[command] = process.pid
        feeder = asyncio.create_task(_feed(connection, process.stdin))
        try:
            await asyncio.gather(
                _pump(process.stdout, connection, _STDOUT), _pump(process.stderr, connection, _STDERR)
            )
            returncode = await process.wait()
        finally:
            feeder.cancel()
            del self._processes[command]
        return returncode if returncode >= 0 else 128 - returncode


class _Connection:
    """The client's end. What is sent after the client left is lost."""

    def __init__(self, socket: web.WebSocketResponse) -> None:
        self._socket = socket
        self.input: asyncio.Queue[bytes] = asyncio.Queue()

    async def listen(self) -> None:
        """Collect the input until the connection ends; an empty chunk says that no more will come."""
        try:
            async for message in self._socket:
                data = message.data.encode() if message.type is WSMsgType.TEXT else message.data
                if data == _CLOSE_STDIN or (data[:1] == bytes([_STDIN]) and len(data) > 1):
                    self.input.put_nowait(b"" if data == _CLOSE_STDIN else data[1:])
        finally:
            self.input.put_nowait(b"")

    async def send(self, channel: int, data: bytes) -> None:
        """Send a chunk of output."""
        with suppress(ConnectionResetError):
            if data and not self._socket.closed:
                await self._socket.send_bytes(bytes([channel]) + data)

    async def send_status(self, status: Manifest) -> None:
        """Say how the command ended."""
        await self.send(_STATUS, json.dumps(status).encode())

    async def hang_up(self) -> None:
        """Close the connection."""
        await self._socket.close()


async def _started(spawn: Spawn, *, stdin: bool) -> asyncio.subprocess.Process:
    try:
        return await asyncio.create_subprocess_exec(
            *spawn.args,
            env=spawn.env,
            cwd=spawn.cwd,
            user=spawn.user,
            group=spawn.group,
            extra_groups=None if spawn.user is None else [],
            start_new_session=True,
            stdin=asyncio.subprocess.PIPE if stdin else asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
    except OSError as error:
        raise internal(
            "error executing command in container: failed to exec in container: OCI runtime exec failed: "
            f'unable to start container process: exec: "{spawn.args[0]}": {error.strerror}'
        ) from error


async def _pump(stream: asyncio.StreamReader, connection: _Connection, channel: int) -> None:
    while data := await stream.read(_CHUNK):
        await connection.send(channel, data)


async def _feed(connection: _Connection, stdin: asyncio.StreamWriter | None) -> None:
    if stdin is None:
        return
    with suppress(ConnectionError):  # the process need not read to the end
        while data := await connection.input.get():
            stdin.write(data)
            await stdin.drain()
    stdin.close()


def _kill_session(leader: int) -> None:
    """Kill a process and what it started, which need not be in its process group (coreutils' `timeout`)."""
    for process in (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal()):
        with suppress(ProcessLookupError):
            if os.getsid(process) == leader:
                os.kill(process, signal.SIGKILL)


def _exit_status(request: ExecRequest, exit_code: int) -> Manifest:
    if exit_code == 0:
        return {"metadata": {}, "status": "Success"}
    cause = f"error executing command [{' '.join(request.command)}], exit code {exit_code}"
    return {
        "metadata": {},
        "status": "Failure",
        "message": f"command terminated with non-zero exit code: {cause}",
        "reason": "NonZeroExitCode",
        "details": {"causes": [{"reason": "ExitCode", "message": str(exit_code)}]},
    }


def exec_request(http: web.BaseRequest, pod: Manifest) -> ExecRequest:
    """The command that a request wants to run in a pod. Raises StatusError (400, 414)."""
    name, namespace = pod["metadata"]["name"], pod["metadata"]["namespace"]
    if len(http.raw_path) > LONGEST_URL:
        raise StatusError(414, "RequestURITooLong", f"{len(http.raw_path)} bytes, as no proxy lets through")
    container, command = http.query.get("container", ""), tuple(http.query.getall("command", []))
    containers = [entry["name"] for entry in pod["spec"]["containers"]]
    if not command:
        raise bad_request("you must specify at least 1 command for the container")
    if not container and len(containers) > 1:
        choice = " ".join(containers)
        raise bad_request(f"a container name must be specified for pod {name}, choose one of: [{choice}]")
    if container and container not in containers:
        raise bad_request(f"container {container} is not valid for pod {name}")
    return ExecRequest(namespace, name, container or containers[0], command)
