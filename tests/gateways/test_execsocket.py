"""Whoever answers in the API server's place, or writes in a pod: neither our token nor our time is theirs."""

import base64
import hashlib
import json
import socket
import struct
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from time import monotonic
from typing import Any

import pytest
from kubernetes import client

from kanfunc.domain.errors import ExecFailed
from kanfunc.gateways import execsocket, podexec
from kanfunc.gateways.podexec import PodExec

TOKEN = "canary-of-token-2"  # noqa: S105 - of nobody
MEGABYTES = 1 << 20


@contextmanager
def answering(answer: Callable[[socket.socket], object]) -> Iterator[int]:
    listening = socket.create_server(("127.0.0.1", 0))
    open_ones: list[socket.socket] = []

    def serve_one(connection: socket.socket) -> None:
        with suppress(OSError):
            answer(connection)

    def serve() -> None:
        with suppress(OSError):
            while True:
                open_ones.append(listening.accept()[0])
                threading.Thread(target=serve_one, args=open_ones[-1:], daemon=True).start()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield listening.getsockname()[1]
    listening.shutdown(socket.SHUT_RDWR)
    for each in (listening, *open_ones):
        each.close()
    thread.join()


def asked(connection: socket.socket) -> bytes:
    request = b""
    while b"\r\n\r\n" not in request:
        request += connection.recv(65_536)
    return request


def upgraded(connection: socket.socket) -> None:
    lines = asked(connection).split(b"\r\n")
    key = next(line[19:] for line in lines if line.lower().startswith(b"sec-websocket-key: "))
    accepted = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())  # noqa: S324 - RFC 6455
    connection.sendall(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Protocol: v4.channel.k8s.io\r\nSec-WebSocket-Accept: " + accepted + b"\r\n\r\n"
    )


def message(data: bytes, kind: int = 2) -> bytes:
    return bytes([0x80 | kind, 127]) + struct.pack("!Q", len(data)) + data


def configuration(port: int) -> Any:
    found = client.Configuration()
    found.host, found.api_key = f"http://127.0.0.1:{port}", {"authorization": f"Bearer {TOKEN}"}
    return found


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(podexec, "_GRACE_SECONDS", 1)


def failure(port: int, *, follow: bool = False) -> ExecFailed:
    pods = PodExec(configuration(port))
    with pytest.raises(ExecFailed) as failed, pods.begun("prod", "pg-1", ("true",), 1) as running:
        running.follow(lambda _: None) if follow else running.finish()
    return failed.value


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_shown_our_token(status: int) -> None:
    seen: list[bytes] = []
    with answering(lambda connection: seen.append(asked(connection))) as elsewhere:
        to = f"HTTP/1.1 {status} Go\r\nLocation: ws://localhost:{elsewhere}/\r\nContent-Length: 0\r\n\r\n"

        def redirect(connection: socket.socket) -> None:
            asked(connection)
            connection.sendall(to.encode())

        with answering(redirect) as port:
            failure(port)
    assert seen == []


def waits(connection: socket.socket) -> None:
    while connection.recv(65_536):
        pass


def drips(connection: socket.socket) -> None:
    asked(connection)
    connection.sendall(b"HTTP/1.1 101 Switching Protocols\r\nX: ")
    pause = threading.Event()
    while not pause.wait(0.1):
        connection.sendall(b"x")


def half(connection: socket.socket) -> None:
    upgraded(connection)
    connection.sendall(message(b"\x01" + b"x" * 1000)[:100])
    waits(connection)


def pings(connection: socket.socket) -> None:
    upgraded(connection)
    pause = threading.Event()
    while not pause.wait(0.01):
        connection.sendall(message(b"", 9))


@pytest.mark.parametrize("answer", [waits, drips, half, pings])
def test_no_answer_lasts_longer_than_the_command(answer: Callable[[socket.socket], None]) -> None:
    with answering(answer) as port:
        begin = monotonic()
        failure(port)
        assert monotonic() - begin < 5


def endless(first: bytes, more: bytes) -> Callable[[socket.socket], None]:
    def answer(connection: socket.socket) -> None:
        upgraded(connection)
        connection.sendall(first)
        while True:
            connection.sendall(more)

    return answer


FLOODS = {
    "output": endless(b"", message(b"\x01" + b"x" * 60_000)),
    "complaints": endless(b"", message(b"\x02" + b"x" * 60_000)),
    "one message": endless(bytes([0x82, 127]) + struct.pack("!Q", 1 << 40), b"x" * 60_000),
    "fragments": endless(message(b"\x01", 2)[:0] + bytes([0x02, 1, 1]), bytes([0x00, 125]) + b"x" * 125),
}


@pytest.mark.parametrize("follow", [False, True], ids=["finish", "follow"])
@pytest.mark.parametrize("flood", FLOODS.values(), ids=FLOODS)
def test_no_output_outgrows_us(
    flood: Callable[[socket.socket], None], monkeypatch: pytest.MonkeyPatch, *, follow: bool
) -> None:
    monkeypatch.setattr(execsocket, "LONGEST", 2 * MEGABYTES)
    with answering(flood) as port:
        tracemalloc.start()
        failure(port, follow=follow)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 30 * MEGABYTES


def test_a_log_of_any_length_can_be_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(execsocket, "LONGEST", 2 * MEGABYTES)
    monkeypatch.setattr(podexec, "_GRACE_SECONDS", 30)
    line = b"x" * 99 + b"\n"
    end = message(b"\x03" + json.dumps({"status": "Success"}).encode()) + message(struct.pack("!H", 1000), 8)

    def writes(connection: socket.socket) -> None:
        upgraded(connection)
        for _ in range(100):
            connection.sendall(message(b"\x01" + line * 1000) + message(b"\x02" + b"y" * 50_000))
        connection.sendall(end)
        waits(connection)

    told = 0

    def tell(text: str) -> None:
        nonlocal told
        told += len(text)

    with (
        answering(writes) as port,
        PodExec(configuration(port)).begun("prod", "pg-1", ("true",), 1) as running,
    ):
        running.follow(tell)
    assert told == 99 * 100_000
