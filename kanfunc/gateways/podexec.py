"""Commands in pods, over the API server's exec: argv in, exit code and output out."""

import json
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import urllib3
import websocket
from kubernetes import client
from kubernetes.client.exceptions import ApiException
from kubernetes.stream import stream
from kubernetes.stream.ws_client import STDERR_CHANNEL, STDOUT_CHANNEL

from kanfunc.domain.errors import ExecCut, ExecFailed, ExecForbidden, KanfuncError, NotFound
from kanfunc.domain.hooks import Argv
from kanfunc.domain.world import POSTGRES_CONTAINER

_ENDED_AT_LIMIT = 124
_KILL_AFTER_SECONDS = "5"
_GRACE_SECONDS = 15
"""A command limits itself in the pod; we wait this much longer for the news of it."""
_TAIL = 500


@dataclass(frozen=True)
class Finished:
    """A command that came to its end."""

    code: int
    stdout: str
    stderr: str


class PodExec:
    """Runs commands in the postgres container.

    The client's `stream` swaps a method of its ApiClient while it connects: so each thread has its own.
    """

    def __init__(self, configuration: client.Configuration) -> None:
        self._configuration = configuration
        self._own = threading.local()

    def run(
        self, namespace: str, pod: str, argv: Argv, seconds: float, tell: Callable[[str], None] | None = None
    ) -> str:
        """The output of a command that exits 0; ExecFailed otherwise, NotFound where there is no such pod.
        With `tell` each line is told as it comes, and not returned.

        The limit is kept inside the pod by coreutils' `timeout`: a command outlives the connection that
        started it, so only there can it be ended.
        """
        limited = ["timeout", "-k", _KILL_AFTER_SECONDS, f"{max(1, round(seconds))}", *argv]
        what = f"{argv[0]} in pod {namespace}/{pod}"
        socket = self._open(namespace, pod, limited)
        try:
            finished = _follow(socket, what, seconds + _GRACE_SECONDS, tell)
        finally:
            socket.close()
            socket.sock.shutdown()  # close() alone leaves it open where the server hung up first
        if finished.code == _ENDED_AT_LIMIT:
            raise ExecFailed(
                f"{what} did not end within {seconds:g} s", timed_out=True, remedy=_look_at(namespace, pod)
            )
        if finished.code:
            raise ExecFailed(
                f"{what} failed with exit code {finished.code}: {finished.stderr.strip()}",
                remedy=_look_at(namespace, pod),
            )
        return finished.stdout

    def _client(self) -> client.CoreV1Api:
        if not hasattr(self._own, "core"):
            self._own.core = client.CoreV1Api(client.ApiClient(self._configuration))
        return cast("client.CoreV1Api", self._own.core)

    def _open(self, namespace: str, pod: str, argv: list[str]) -> Any:
        try:
            return stream(
                self._client().connect_get_namespaced_pod_exec,
                pod,
                namespace,
                command=argv,
                container=POSTGRES_CONTAINER,
                stdin=False,
                stdout=True,
                stderr=True,
                tty=False,
                _preload_content=False,
            )
        except ApiException as error:
            if isinstance(error.__context__, KanfuncError):
                raise error.__context__ from None  # the client takes our signal for a failed handshake
            raise _refusal(error, namespace, pod) from error
        except (OSError, urllib3.exceptions.HTTPError) as error:
            raise ExecFailed(
                f"exec into pod {namespace}/{pod}: {error}", remedy="check that the API server can be reached"
            ) from error


def _refusal(error: ApiException, namespace: str, pod: str) -> KanfuncError:
    """The client tells a refused handshake by its text alone (status 0)."""
    if "404 Not Found" in str(error) or error.status == 404:  # noqa: PLR2004 - HTTP
        return NotFound(f"there is no pod {namespace}/{pod}", remedy=f"kubectl get pods -n {namespace}")
    refused = f"exec into pod {namespace}/{pod} was refused: {_message(error)}"
    if "403 Forbidden" in str(error) or error.status == 403:  # noqa: PLR2004 - HTTP
        return ExecForbidden(refused, remedy="grant `get` and `create` on pods/exec in that namespace")
    return ExecFailed(refused, remedy=_look_at(namespace, pod))


def _look_at(namespace: str, pod: str) -> str:
    return (
        f"kubectl logs -n {namespace} {pod} -c {POSTGRES_CONTAINER}, and kubectl describe pod; then run again"
    )


def _message(error: ApiException) -> str:
    """The message of the Status in a refused handshake, of which the client keeps every header, too."""
    message = re.search(r'"message":("(?:[^"\\]|\\.)*")', str(error.reason))
    return str(json.loads(message[1])) if message else str(error.reason)


def _follow(socket: Any, what: str, seconds: float, tell: Callable[[str], None] | None) -> Finished:
    """Read to the end. ExecCut when the end was not seen: the command may still be running."""
    try:
        if tell:
            _tell_lines(socket, seconds, tell)
        else:
            socket.run_forever(timeout=seconds)
        code = socket.returncode
    except (TypeError, LookupError, ValueError, OSError, websocket.WebSocketException) as error:
        raise ExecCut(
            f"the connection to {what} was cut, or its container failed, before its end was seen",
            remedy="the command may still be running there; it limits itself: then run again",
        ) from error
    if code is None:
        raise ExecCut(
            f"no news of the end of {what} within {seconds:g} s",
            remedy="the command may still be running there; it limits itself: then run again",
        )
    return Finished(code, socket.read_channel(STDOUT_CHANNEL), socket.read_channel(STDERR_CHANNEL)[-_TAIL:])


def _tell_lines(socket: Any, seconds: float, tell: Callable[[str], None]) -> None:
    end = time.monotonic() + seconds
    while socket.is_open() and (left := end - time.monotonic()) > 0:
        tell(socket.readline_channel(STDOUT_CHANNEL, timeout=left))
    for line in socket.read_channel(STDOUT_CHANNEL).splitlines():
        tell(line)
