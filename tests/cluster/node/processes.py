"""Processes of the node: each in a session of its own, known by a file with its PID, its output in a log."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from tests.cluster.node.places import CONTAINERD_SOCKET, LOGS, PIDS

POLL_SECONDS = 0.2
_STARTED: list[subprocess.Popen[bytes]] = []
"""Python warns of processes that nobody holds; these outlive us on purpose."""


def start(name: str, *command: str | Path, env: Mapping[str, str] | None = None) -> None:
    """Start it in the background, unless it runs."""
    if running(name):
        return
    LOGS.mkdir(parents=True, exist_ok=True)
    PIDS.mkdir(parents=True, exist_ok=True)
    with (LOGS / f"{name}.log").open("ab") as log:
        process = subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**os.environ, **(env or {})},
            start_new_session=True,
        )
    _STARTED.append(process)
    (PIDS / name).write_text(f"{process.pid} {_started(process.pid)}")


def running(name: str) -> bool:
    """Whether the process of that name lives, and is no other that has got its PID."""
    with suppress(OSError, ValueError):
        pid, started = (PIDS / name).read_text().split()
        return _started(int(pid)) == started
    return False


def _started(pid: int) -> str:
    """When that process began, in ticks of the kernel's clock; OSError for one that has ended."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    if fields[0] == "Z":
        raise ProcessLookupError(pid)
    return fields[19]


def stop(name: str, seconds: float = 10.0) -> None:
    """End it, at last by force."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        end = time.monotonic() + seconds
        if running(name):
            os.kill(int((PIDS / name).read_text().split()[0]), number)
        while running(name) and time.monotonic() < end:
            time.sleep(POLL_SECONDS)  # noqa: TID251 - it need not be our child
    (PIDS / name).unlink(missing_ok=True)


def eventually(what: str, condition: Callable[[], object], seconds: float = 60.0) -> None:
    """Wait until it is so; TimeoutError names it, and how the last attempt failed."""
    end, failure = time.monotonic() + seconds, ""
    while True:
        try:
            if condition():
                return
        except (subprocess.SubprocessError, OSError) as error:
            failure = f": {error}"
        if time.monotonic() > end:
            raise TimeoutError(f"{what}: not within {seconds:g} s{failure}")
        time.sleep(POLL_SECONDS)  # noqa: TID251 - programs that start tell nobody


def run(*command: str | Path, check: bool = True, stdin: str | None = None, cwd: Path | None = None) -> str:
    """Output of a command; CalledProcessError, whose notes say what it printed, where it fails."""
    words = [str(word) for word in command]
    done = subprocess.run(words, capture_output=True, text=True, check=False, input=stdin, cwd=cwd)
    if check and done.returncode:
        failure = subprocess.CalledProcessError(done.returncode, words, done.stdout, done.stderr)
        failure.add_note(done.stdout[-2000:] + done.stderr[-2000:])
        raise failure
    return done.stdout


def ctr(*arguments: str, check: bool = True) -> str:
    """containerd's client, for the images and containers of Kubernetes."""
    return run("ctr", "--address", CONTAINERD_SOCKET, "--namespace", "k8s.io", *arguments, check=check)
