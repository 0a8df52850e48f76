"""Whoever reaches the port of the metrics, and whatever is written in a record."""

import os
import resource
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace

import pytest

from kanfunc.domain.record import State
from kanfunc.domain.standing import Standing
from tests.builders import REF, record
from tests.gateways.test_metrics import Monitoring, monitoring  # noqa: F401 - a fixture

MANY = 200


@pytest.fixture
def few_files() -> Iterator[None]:
    """Room for all that are connected on both sides, and for hardly more."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    held = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - of whoever ran tests here before
    resource.setrlimit(resource.RLIMIT_NOFILE, (held + MANY + 150, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.mark.usefixtures("few_files")
def test_who_connects_and_says_nothing_takes_nothing(monitoring: Monitoring) -> None:  # noqa: F811
    address = ("127.0.0.1", int(monitoring.url.rpartition(":")[2]))
    before = threading.active_count()
    with ExitStack() as connected:
        for _ in range(MANY):
            connected.enter_context(socket.create_connection(address, timeout=20))
        assert monitoring.get("/healthz")[0] in {200, 503}
        assert threading.active_count() - before < MANY / 2
        with open("/dev/null"):  # noqa: PTH123 - there is a file to be had
            pass


def test_who_hangs_up_is_not_told_of(monitoring: Monitoring, capfd: pytest.CaptureFixture[str]) -> None:  # noqa: F811
    address = ("127.0.0.1", int(monitoring.url.rpartition(":")[2]))
    before = set(threading.enumerate())
    with socket.create_connection(address) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.sendall(b"GET /me")
    for thread in set(threading.enumerate()) - before:
        if thread.ident is not None:
            thread.join(5)
    monitoring.get("/healthz")
    assert capfd.readouterr().err == ""


def test_no_record_fills_the_metrics(monitoring: Monitoring) -> None:  # noqa: F811
    long = replace(Standing(REF), record=record(State.SEALED).but(instance="x" * 250_000))
    monitoring.watchdog.standings.append(long)
    assert len(monitoring.get("/metrics")[1]) < 20_000
