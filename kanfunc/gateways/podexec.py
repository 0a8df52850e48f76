"""Commands in pods, over the API server's exec: argv in, exit code and output out."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from kubernetes import client
from kubernetes.client.exceptions import ApiException
from kubernetes.stream.ws_client import STDERR_CHANNEL, STDOUT_CHANNEL

from kanfunc.domain.errors import ExecCut, ExecFailed, ExecForbidden, KanfuncError, NotFound
from kanfunc.domain.hooks import Argv
from kanfunc.domain.world import POSTGRES_CONTAINER
from kanfunc.gateways.foreign import message_of, status_of, told
from kanfunc.gateways.plain import AnyObjects
from kanfunc.gateways.secrecy import without_parts

_ENDED_AT_LIMIT = 124
_KILL_AFTER_SECONDS = "5"
_GRACE_SECONDS = 15
"""A command limits itself in the pod; we wait this much longer for the news of it."""
_MOMENT = 0.001
_TAIL = 500


class PodExec:
    """Runs commands in the postgres container."""

    def __init__(self, configuration: client.Configuration) -> None:
        self._objects = AnyObjects(configuration)

    def run(self, namespace: str, pod: str, argv: Argv, seconds: float) -> str:
        """The output of a command that exits 0; ExecFailed otherwise, NotFound where there is no such pod."""
        with self.begun(namespace, pod, argv, seconds) as running:
            return running.finish()

    @contextmanager
    def begun(self, namespace: str, pod: str, argv: Argv, seconds: float) -> Iterator["Running"]:
        """A command that is at work from now on; NotFound where there is no such pod.

        The limit is kept inside the pod by coreutils' `timeout`: a command outlives the connection that
        started it, so only there can it be ended.
        """
        limited = ["timeout", "-k", _KILL_AFTER_SECONDS, f"{max(1, round(seconds))}", *argv]
        socket = self._open(namespace, pod, limited, seconds + _GRACE_SECONDS)
        try:
            yield Running(socket, argv[0], namespace, pod, seconds)
        finally:
            socket.close()
            socket.sock.shutdown()  # close() alone leaves it open where the server hung up first

    def _open(self, namespace: str, pod: str, argv: list[str], seconds: float) -> Any:
        try:
            return self._objects.exec_socket(namespace, pod, POSTGRES_CONTAINER, argv, seconds)
        except ApiException as error:
            if isinstance(error.__context__, KanfuncError):
                raise error.__context__ from None  # the client takes our signal for a failed handshake
            raise _refusal(error, namespace, pod) from error
        except KanfuncError:
            raise
        except Exception as error:  # of whatever the client and its plugins may raise
            raise ExecFailed(
                f"exec into pod {namespace}/{pod}: {told(error)}",
                remedy="check that the API server can be reached",
            ) from error


def _refusal(error: ApiException, namespace: str, pod: str) -> KanfuncError:
    """Of the command's connection; what the client says of it holds every header of the answer."""
    status = status_of(error)
    if status == HTTPStatus.NOT_FOUND:
        return NotFound(f"there is no pod {namespace}/{pod}", remedy=f"kubectl get pods -n {namespace}")
    refused = f"exec into pod {namespace}/{pod} was refused: {message_of(error)}"
    if status in {HTTPStatus.FORBIDDEN, HTTPStatus.UNAUTHORIZED}:
        return ExecForbidden(refused, remedy="grant `get` and `create` on pods/exec in that namespace")
    return ExecFailed(refused, remedy=_look_at(namespace, pod))


def _look_at(namespace: str, pod: str) -> str:
    return (
        f"kubectl logs -n {namespace} {pod} -c {POSTGRES_CONTAINER}, and kubectl describe pod; then run again"
    )


@dataclass
class Running:
    """A command under way in a pod. Its output waits in the connection until somebody reads it."""

    socket: Any
    program: str
    namespace: str
    pod: str
    seconds: float

    def __post_init__(self) -> None:
        self._end = time.monotonic() + self.seconds + _GRACE_SECONDS

    def finish(self) -> str:
        """Its output, when it exits 0; ExecFailed otherwise."""
        self._await_end(lambda: self.socket.run_forever(timeout=self._left()))
        return self._read(STDOUT_CHANNEL)

    def follow(self, tell: Callable[[str], None]) -> None:
        """Tell each line of its output as it comes, to the end; ExecFailed when it does not exit 0."""
        self._await_end(lambda: self._tell_lines(tell))

    def __str__(self) -> str:
        return f"{self.program} in pod {self.namespace}/{self.pod}"

    def _await_end(self, read: Callable[[], None]) -> None:
        code, remedy = self._exit_code(read), _look_at(self.namespace, self.pod)
        if code == _ENDED_AT_LIMIT:
            found = f"{self} did not end within {self.seconds:g} s"
            raise ExecFailed(found, timed_out=True, remedy=remedy)
        if code:
            stderr = without_parts(self._read(STDERR_CHANNEL)[-2 * _TAIL :])[-_TAIL:]
            raise ExecFailed(f"{self} failed with exit code {code}: {stderr.strip()}", remedy=remedy)

    def _exit_code(self, read: Callable[[], None]) -> int:
        """When all is read. ExecCut when the end was not seen: the command may still be running."""
        try:
            read()
            code: int | None = self.socket.returncode
        except KanfuncError:
            raise
        except Exception as error:  # the client reads what a server sends in many ways
            raise ExecCut(
                f"the connection to {self} was cut, or its container failed, before its end was seen",
                remedy="the command may still be running there; it limits itself: then run again",
            ) from error
        if code is None:
            raise ExecCut(
                f"no news of the end of {self} within {self.seconds + _GRACE_SECONDS:g} s",
                remedy="the command may still be running there; it limits itself: then run again",
            )
        return code

    def _tell_lines(self, tell: Callable[[str], None]) -> None:
        while self.socket.is_open() and time.monotonic() < self._end:
            tell(_text(self.socket.readline_channel(STDOUT_CHANNEL, timeout=self._left())))
            self.socket.forget_complaints()
        for line in self._read(STDOUT_CHANNEL).splitlines():
            tell(line)

    def _read(self, channel: int) -> str:
        return _text(self.socket.read_channel(channel))

    def _left(self) -> float:
        """Never 0, which the client takes for no limit."""
        return max(_MOMENT, self._end - time.monotonic())


def _text(output: bytes) -> str:
    """Whole output, or a whole line: the frames it came in may have cut characters."""
    return output.decode(errors="replace")
