import threading
from concurrent.futures import ThreadPoolExecutor
from time import monotonic

import pytest

from kanfunc.domain.errors import ExecFailed, NotFound
from kanfunc.gateways.podexec import PodExec
from tests.builders import REF
from tests.gateways.conftest import Containers, of
from tests.lab.apiserver import (
    PODS,
    ApiServer,
    Drop,
    ExecRequest,
    Fault,
    Refuse,
    Reply,
    StatusError,
    Store,
    internal,
)


def run(pods: PodExec, *argv: str, seconds: float = 30, pod: str = "pg-2") -> str:
    return pods.run(REF.namespace, pod, argv, seconds)


@pytest.mark.parametrize("read", ["finish", "follow"])
def test_output_may_be_cut_anywhere(pods: PodExec, read: str) -> None:
    """It comes in frames, which end in the middle of characters."""
    script = "text=$(yes ä | tr -d '\\n' | head -c 200000); printf 'x%s\\n' \"$text\""
    told: list[str] = []
    with pods.begun(REF.namespace, "pg-2", ("sh", "-c", script), 30) as running:
        if read == "follow":
            running.follow(told.append)
        else:
            told += running.finish().splitlines()
    assert "".join(told) == f"x{'ä' * 100_000}"


def test_output_of_a_command_that_succeeds_is_returned(pods: PodExec) -> None:
    assert run(pods, "sh", "-c", "echo seen; echo unseen >&2") == "seen\n"


@pytest.mark.parametrize("code", [1, 2, 7, 123, 125, 126, 127, 255])
def test_other_exit_codes_are_failures_with_the_last_words(pods: PodExec, code: int) -> None:
    with pytest.raises(ExecFailed) as failed:
        run(pods, "sh", "-c", f"echo a; echo 'last words' >&2; exit {code}")
    assert failed.value.found == f"sh in pod prod/pg-2 failed with exit code {code}: last words"
    assert not failed.value.timed_out


def test_only_the_end_of_many_complaints_is_told(pods: PodExec) -> None:
    with pytest.raises(ExecFailed) as failed:
        run(pods, "sh", "-c", "seq 100000 >&2; exit 1")
    assert failed.value.found.endswith("99999\n100000")
    assert len(failed.value.found) < 600


def test_command_is_ended_in_the_pod_at_its_limit(pods: PodExec) -> None:
    begun = monotonic()
    with pytest.raises(ExecFailed, match="sleep in pod prod/pg-2 did not end within 1 s") as failed:
        run(pods, "sleep", "60", seconds=1)
    assert failed.value.timed_out
    assert monotonic() - begun < 10


def test_less_than_a_second_is_a_second(pods: PodExec) -> None:
    assert run(pods, "sh", "-c", "sleep 0.2; echo done", seconds=0.01) == "done\n"


def test_command_that_was_killed_is_not_called_late(pods: PodExec) -> None:
    with pytest.raises(ExecFailed) as failed:
        run(pods, "sh", "-c", "kill -9 $$")
    assert "did not end within" not in failed.value.found


@pytest.mark.parametrize(
    "argument",
    ["", " ", "a b", "'", '"', "$(touch x)", "`touch x`", "${PATH}", "a\nb\n", "--", "-n", "*", "~", "\\n",
     "é ☃ 🐘", "&x=y", "%2F+", "#", ";", "a\tb", '["json", "list"]'],
)  # fmt: skip
def test_arguments_arrive_unchanged(pods: PodExec, containers: Containers, argument: str) -> None:
    assert run(pods, "printf", "%s|%s", argument, "end") == f"{argument}|end"
    assert list(containers.folder.iterdir()) == []


def test_nothing_but_timeout_is_put_before_the_command(pods: PodExec, containers: Containers) -> None:
    seen: list[ExecRequest] = []

    def script(request: ExecRequest) -> Reply:
        seen.append(request)
        return Reply(0)

    containers.script = script
    run(pods, "x", "y z", seconds=42.4)
    assert seen == [ExecRequest("prod", "pg-2", "postgres", ("timeout", "-k", "5", "42", "x", "y z"))]


def test_large_output_arrives_whole(pods: PodExec) -> None:
    output = run(pods, "sh", "-c", "seq 300000")
    assert output == "".join(f"{number}\n" for number in range(1, 300001))


def test_output_that_is_no_text_does_not_break(pods: PodExec) -> None:
    assert run(pods, "printf", r"a\377\376b").strip("�") == "a��b"


def test_pod_that_is_gone_is_not_found(pods: PodExec, store: Store) -> None:
    store.delete(PODS, REF.namespace, "pg-2")
    with pytest.raises(NotFound, match="there is no pod prod/pg-2"):
        run(pods, "true")


@pytest.mark.parametrize("action", [Refuse(403), Refuse(500), Refuse(503), Drop()])
def test_handshake_that_fails_is_a_failure(pods: PodExec, server: ApiServer, action: Refuse | Drop) -> None:
    server.faults.append(Fault(of("pods"), action))
    with pytest.raises(ExecFailed, match="exec into pod prod/pg-2"):
        run(pods, "true")
    assert run(pods, "echo", "well") == "well\n"


def test_server_that_is_away_is_a_failure(pods: PodExec, server: ApiServer) -> None:
    server.stop()
    with pytest.raises(ExecFailed, match="exec into pod prod/pg-2"):
        run(pods, "true")


def test_cut_connection_is_a_failure_that_warns(
    pods: PodExec, server: ApiServer, containers: Containers
) -> None:
    started, ending = threading.Event(), threading.Event()

    def script(_: ExecRequest) -> Reply:
        started.set()
        ending.wait(30)
        return Reply(0)

    containers.script = script
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(run, pods, "slow")
        assert started.wait(30)
        assert server.cut_execs() == 1
        with pytest.raises(ExecFailed, match="was cut") as failed:
            running.result(30)
        ending.set()
    assert not failed.value.timed_out
    assert "may still be running" in failed.value.remedy


@pytest.mark.parametrize(
    "failure",
    [
        internal('container not found ("postgres")'),
        StatusError(500, "InternalError", "no details at all"),
        pytest.param(
            StatusError(500, "InternalError", "no causes", {"causes": []}),
        ),
    ],
)
def test_container_that_cannot_be_entered_is_a_failure(
    pods: PodExec, containers: Containers, failure: StatusError
) -> None:
    def script(_: ExecRequest) -> Reply:
        raise failure

    containers.script = script
    with pytest.raises(ExecFailed, match="true in pod prod/pg-2"):
        run(pods, "true")


def test_commands_do_not_disturb_each_other(pods: PodExec) -> None:
    assert [run(pods, "echo", str(number)) for number in range(5)] == [f"{n}\n" for n in range(5)]
