"""Handlers of commands, and their connections."""

import json
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.contract.apiserver.helpers import exec_in_pod
from tests.lab.apiserver import ApiServer, ExecHandler, ExecRequest, Reply, Store, internal
from tests.lab.apiserver.clients import as_process, core_client, still_alive


@contextmanager
def _command(store: Store, handler: ExecHandler, *command: str) -> Iterator[tuple[ApiServer, Any]]:
    with (
        ApiServer(store, handler) as server,
        core_client(server) as core,
        exec_in_pod(core.api_client, "ns", *command) as connection,
    ):
        yield server, connection


def test_cut_exec_leaves_the_process_running(store: Store, tmp_path: Path) -> None:
    way_in, way_out = tmp_path / "in", tmp_path / "out"
    os.mkfifo(way_in)
    os.mkfifo(way_out)
    script = f"echo ready; read line < {way_in}; echo $line > {way_out}"
    with _command(store, as_process, "sh", "-c", script) as (server, connection):
        assert connection.readline_stdout(timeout=10) == "ready"
        assert server.cut_execs() == 1
        way_in.write_text("late\n")
        assert way_out.read_text() == "late\n"


def test_client_ends_the_input(store: Store) -> None:
    with (
        ApiServer(store, as_process) as server,
        core_client(server) as core,
        exec_in_pod(core.api_client, "ns", "wc", "-c", stdin=True) as connection,
    ):
        connection.write_stdin("12345")
        connection.close_channel(0)  # says nothing unless the server speaks v5
        connection.run_forever(timeout=10)
        assert connection.read_stdout() == "5\n"


@pytest.mark.parametrize(
    ("reply", "expected"),
    [(Reply(0, "out"), ("out", "", 0)), (Reply(124, "", "late"), ("", "late", 124))],
)
def test_handler_replies_by_itself(store: Store, reply: Reply, expected: tuple[str, str, int]) -> None:
    with _command(store, lambda _: reply, "true") as (_, connection):
        connection.run_forever(timeout=10)
        assert (connection.read_stdout(), connection.read_stderr(), connection.returncode) == expected


def test_handler_refuses_as_the_runtime_does(store: Store) -> None:
    def container_is_down(request: ExecRequest) -> Reply:
        raise internal(f'container not found ("{request.container}")')

    with _command(store, container_is_down, "true") as (_, connection):
        connection.run_forever(timeout=10)
        status = json.loads(connection.read_channel(3))
    assert (status["code"], status["reason"]) == (500, "InternalError")
    assert 'container not found ("postgres")' in status["message"]


def test_bug_in_a_handler_ends_the_connection_without_status(store: Store) -> None:
    def bug(_: ExecRequest) -> Reply:
        raise ZeroDivisionError

    with _command(store, bug, "true") as (_, connection):
        connection.run_forever(timeout=10)
        assert not connection.is_open()
        assert connection.read_channel(3) == ""


def test_blocked_handler_holds_up_nobody(store: Store) -> None:
    entered, release = threading.Event(), threading.Event()

    def handler(_: ExecRequest) -> Reply:
        entered.set()
        release.wait()
        return Reply(0)

    threads = set(threading.enumerate())
    server = ApiServer(store, handler).start()
    with core_client(server) as core, exec_in_pod(core.api_client, "ns", "true") as connection:
        assert entered.wait(10)
        assert len(core.list_namespaced_pod("ns").items) == 1
        began = time.monotonic()
        server.stop()
        assert time.monotonic() - began < 0.5
        connection.close()
    release.set()
    assert still_alive(threads) == set()
