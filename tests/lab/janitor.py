"""Clean up after one lab as soon as its owner is gone, whatever ended the owner.

Run by path, with the standard library only: ``python -I janitor.py DIRECTORY``. Standard input is the read
end of a pipe whose write end only the owner holds: its end of file is the signal. Exit code 0: nothing is
left.
"""

import os
import select
import shutil
import signal
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

SHUTDOWN_SECONDS = 5.0
ATTEMPTS = 10


def main() -> None:
    directory = sys.argv[1]
    sys.stdin.buffer.read()
    end_processes(directory)
    shutil.rmtree(directory)


def end_processes(directory: str) -> None:
    """End all processes of the lab; PostgreSQL may remove its shared memory, which SIGKILL would leave."""
    processes = list(members(directory))
    for process in processes:
        send(process, signal.SIGQUIT if is_postgres(process) else signal.SIGKILL)
    wait_for_end(processes)
    for _ in range(ATTEMPTS):
        if not (processes := list(members(directory))):
            return
        for process in processes:
            send(process, signal.SIGKILL)
        wait_for_end(processes)


def members(directory: str) -> Iterator[Path]:
    """Yield the /proc directories of the lab's processes (a zombie has no environment and is none)."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if belongs(process, directory):
                yield process
        except PermissionError:
            if belongs_to_readable(process, directory):
                yield process
        except OSError:
            continue  # ended meanwhile


def belongs(process: Path, directory: str) -> bool:
    """Tell whether a process carries the lab's mark.

    PostgreSQL's backends write their title over their environment; they are known by their working directory.
    """
    if os.fsencode(f"KANFUNC_LAB={directory}") in (process / "environ").read_bytes().split(b"\0"):
        return True
    return is_postgres(process) and (process / "cwd").readlink().is_relative_to(directory)


def belongs_to_readable(process: Path, directory: str) -> bool:
    """Look again as the process's own user: in a container root usually lacks CAP_SYS_PTRACE."""
    if os.geteuid() != 0:
        return False
    with suppress(OSError), acting_as(process.stat()):
        return belongs(process, directory)
    return False


@contextmanager
def acting_as(owner: os.stat_result) -> Iterator[None]:
    try:
        os.setegid(owner.st_gid)
        os.seteuid(owner.st_uid)
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)


def is_postgres(process: Path) -> bool:
    with suppress(OSError):
        return (process / "comm").read_text() == "postgres\n"
    return False


def send(process: Path, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(int(process.name), number)


def wait_for_end(processes: Iterable[Path]) -> None:
    """Wait until the processes have ended, at most SHUTDOWN_SECONDS for all of them together."""
    deadline = time.monotonic() + SHUTDOWN_SECONDS
    for process in processes:
        with suppress(ProcessLookupError):
            descriptor = os.pidfd_open(int(process.name))
            select.select([descriptor], [], [], max(0.0, deadline - time.monotonic()))
            os.close(descriptor)


if __name__ == "__main__":
    main()
