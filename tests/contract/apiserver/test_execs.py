"""Commands in pods."""

import json
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from kubernetes.client import ApiException

from tests.contract.apiserver.helpers import (
    Outcome,
    exec_in_pod,
)


def test_exec_separates_streams_and_tells_the_exit_code(run: Callable[..., Outcome]) -> None:
    assert run("sh", "-c", "echo out; echo bad >&2; exit 3") == ("out\n", "bad\n", 3)


def test_exec_success(run: Callable[..., Outcome]) -> None:
    assert run("true") == ("", "", 0)


def test_exec_killed_command(run: Callable[..., Outcome]) -> None:
    assert run("sh", "-c", "kill -9 $$").returncode == 137


def test_exec_passes_arguments_unchanged(run: Callable[..., Outcome]) -> None:
    arguments = ["two words", "$HOME", "a&b=c", "", "ä"]
    assert run("printf", "%s|", *arguments).stdout == "".join(f"{argument}|" for argument in arguments)


def test_exec_carries_much_output(run: Callable[..., Outcome]) -> None:
    assert len(run("head", "-c", "5000000", "/dev/zero").stdout) == 5_000_000


def test_exec_carries_input(run: Callable[..., Outcome]) -> None:
    assert run("head", "-n1", stdin="ping\n").stdout == "ping\n"


def test_exec_status_names_the_exit_code_as_kubelet_does(api: Any, namespace: str, pod: str) -> None:
    with exec_in_pod(api, namespace, "false", pod=pod) as connection:
        connection.run_forever(timeout=10)
        status = json.loads(connection.read_channel(3))
    assert (status["status"], status["reason"]) == ("Failure", "NonZeroExitCode")
    assert status["details"]["causes"] == [{"reason": "ExitCode", "message": "1"}]
    assert connection.subprotocol in {"v4.channel.k8s.io", "v5.channel.k8s.io"}


def test_exec_of_a_missing_program_has_no_exit_code(api: Any, namespace: str, pod: str) -> None:
    with exec_in_pod(api, namespace, "/no/such/program", pod=pod) as connection:
        connection.run_forever(timeout=10)
        status = json.loads(connection.read_channel(3))
    assert (status["code"], status["reason"]) == (500, "InternalError")


@pytest.mark.parametrize(
    ("where", "code"), [({"pod": "ghost"}, 404), ({"container": "ghost", "pod": "shell"}, 400)]
)
def test_exec_into_nothing_fails_at_the_handshake(
    api: Any, namespace: str, pod: str, where: dict[str, Any], code: int
) -> None:
    assert pod == "shell"
    handshake = pytest.raises(ApiException, match=f"Handshake status {code}")
    with handshake as caught, exec_in_pod(api, namespace, "true", **where):
        pass
    assert caught.value.status == 0


def test_exec_outlives_its_client(api: Any, namespace: str, pod: str, run: Callable[..., Outcome]) -> None:
    way_in, way_out = (f"{uuid4().hex}.{end}" for end in ("in", "out"))
    assert run("mkfifo", way_in, way_out).returncode == 0
    script = f"echo ready; cat {way_in} > {way_out}"
    with exec_in_pod(api, namespace, "sh", "-c", script, pod=pod) as connection:
        assert connection.readline_stdout(timeout=10) == "ready"
    assert run("sh", "-c", f"echo late > {way_in} & cat {way_out}").stdout == "late\n"


def test_exec_ends_the_input_when_its_client_leaves(
    api: Any, namespace: str, pod: str, run: Callable[..., Outcome]
) -> None:
    way_out = uuid4().hex
    assert run("mkfifo", way_out).returncode == 0
    with exec_in_pod(
        api, namespace, "sh", "-c", f"echo ready; cat > /dev/null; echo end > {way_out}", pod=pod, stdin=True
    ) as connection:
        assert connection.readline_stdout(timeout=10) == "ready"
    assert run("cat", way_out).stdout == "end\n"
