"""Stand-in for a CSI driver: a volume is a directory, a snapshot is a copy of it.

A snapshot of a volume in use is what a power cut would leave: who works in it is frozen while it is copied.
"""

import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tests.lab.workspace import Workspace

Manifest = dict[str, Any]


class Storage:
    """Directories of claims and of snapshots, named by the UID of their object."""

    def __init__(self, workspace: Workspace) -> None:
        self._root = workspace.directory("volumes")
        self._owner = workspace.identity

    def path(self, manifest: Manifest) -> Path:
        """Where the files of that PersistentVolumeClaim or VolumeSnapshot are."""
        return self._root / str(manifest["metadata"]["uid"])

    def provision(self, claim: Manifest) -> Path:
        """Make the volume of a claim, which belongs to whoever runs PostgreSQL, unless it is there."""
        return self._owner.directory(self.path(claim))

    def cut(self, claim: Manifest, snapshot: Manifest) -> None:
        """Copy the volume of the claim, as of one moment, into the snapshot."""
        with _frozen(self.path(claim)):
            copy(self.path(claim), self.path(snapshot))

    def restore(self, data: Path, claim: Manifest) -> None:
        """Make the volume of a claim from exported data."""
        copy(data, self.path(claim))

    def collect(self, uids: Callable[[], Collection[str]]) -> None:
        """Remove the files of every object whose UID is not among these."""
        # Directories first: an object is made before its directory, so whatever is listed here had one.
        paths = list(self._root.iterdir())
        living = uids()
        for path in paths:
            if path.name not in living:
                shutil.rmtree(path)


def copy(source: Path, target: Path) -> None:
    """Copy a directory with owners, times and modes; CalledProcessError where that fails."""
    command = ["cp", "-a", "--reflink=auto", str(source), str(target)]
    subprocess.run(command, check=True, capture_output=True)


@contextmanager
def _frozen(volume: Path) -> Iterator[None]:
    frozen: set[int] = set()
    try:
        while started := _processes(volume) - frozen:  # a process may have forked meanwhile
            _signal(started, signal.SIGSTOP)
            frozen |= started
        yield
    finally:
        _signal(frozen, signal.SIGCONT)


def _processes(volume: Path) -> set[int]:
    # Every process of a PostgreSQL has its PGDATA as working directory.
    entries = (entry for entry in Path("/proc").iterdir() if entry.name.isdecimal())
    return {int(entry.name) for entry in entries if _works_in(entry, volume)}


def _works_in(process: Path, volume: Path) -> bool:
    with suppress(OSError):  # it has ended, or it is somebody else's
        return (process / "cwd").readlink().is_relative_to(volume)
    return False


def _signal(processes: Iterable[int], number: signal.Signals) -> None:
    for process in processes:
        with suppress(ProcessLookupError):
            os.kill(process, number)
