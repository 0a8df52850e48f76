"""An API server, or a proxy before it, that takes its time or has much to say."""

import socket
import threading
from contextlib import suppress
from time import monotonic

import pytest

from kanfunc.domain.errors import ApiFailed
from kanfunc.domain.flavour import EDB
from kanfunc.gateways import answers, kubeclient
from kanfunc.gateways.kube import KubeApi
from tests.gateways.test_execsocket import answering, asked, configuration

HEAD = b"HTTP/1.1 200 OK\r\nDate: Mon, 23 Nov 2026 09:00:00 GMT\r\n"


def failure(port: int, *, retries: int = 5) -> ApiFailed:
    tuned = kubeclient.tuned(configuration(port))
    tuned.retries = kubeclient._RETRIES.new(total=retries)
    with pytest.raises(ApiFailed) as failed:
        KubeApi(tuned).clusters("prod", EDB)
    return failed.value


@pytest.mark.timeout(90)
def test_nobody_sends_us_to_sleep() -> None:
    def later(connection: socket.socket) -> None:
        while asked(connection):
            connection.sendall(b"HTTP/1.1 503 No\r\nRetry-After: 86400\r\nContent-Length: 0\r\n\r\n")

    with answering(later) as port:
        begin = monotonic()
        failure(port, retries=1)
        assert monotonic() - begin < 20


@pytest.mark.timeout(60)
def test_an_answer_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "ANSWER_SECONDS", 2)

    def drips(connection: socket.socket) -> None:
        asked(connection)
        connection.sendall(HEAD + b"Content-Length: 1000000\r\n\r\n")
        pause = threading.Event()
        with suppress(OSError):
            while not pause.wait(0.1):
                connection.sendall(b" ")

    with answering(drips) as port:
        begin = monotonic()
        failure(port)
        assert monotonic() - begin < 20


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "status",
    [
        b"200 OK",
        pytest.param(
            b"403 No", marks=pytest.mark.xfail(reason="the client reads a refusal whole", run=False)
        ),
    ],
)
def test_an_answer_has_a_size(monkeypatch: pytest.MonkeyPatch, status: bytes) -> None:
    monkeypatch.setattr(answers, "LONGEST_ANSWER", 1_000_000)

    def talks(connection: socket.socket) -> None:
        asked(connection)
        connection.sendall(HEAD.replace(b"200 OK", status) + b"Transfer-Encoding: chunked\r\n\r\n")
        with suppress(OSError):
            while True:
                connection.sendall(b"2710\r\n" + b" " * 10_000 + b"\r\n")

    with answering(talks) as port:
        failure(port)
