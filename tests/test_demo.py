"""The demo as a person runs it: piped, and interrupted in the middle."""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

pytestmark = [pytest.mark.lab, pytest.mark.timeout(240)]

REPOSITORY = Path(__file__).parents[1]
COMMAND = [sys.executable, "-m", "tests.lab.demo"]


def started(directory: Path) -> subprocess.Popen[str]:
    """The demo in a session of its own, with its lab in that directory."""
    directory.chmod(0o711)
    return subprocess.Popen(
        COMMAND,
        cwd=REPOSITORY,
        env={**os.environ, "KANFUNC_LAB_DIR": str(directory)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def processes_of(directory: Path) -> list[str]:
    """Command lines of processes that belong to a lab in that directory."""
    marker = f"KANFUNC_LAB={directory}".encode()
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if marker in (process / "environ").read_bytes():
                found.append((process / "cmdline").read_text())
        except OSError:
            continue  # it has ended meanwhile
    return found


def assert_nothing_left(directory: Path) -> None:
    assert processes_of(directory) == []
    assert list(directory.iterdir()) == []


def test_it_shows_every_claim_in_plain_text_when_piped() -> None:
    with tempfile.TemporaryDirectory(prefix="kf-", ignore_cleanup_errors=True) as name:
        with started(Path(name)) as demo:
            story, trouble = demo.communicate(timeout=200)
        assert demo.returncode == 0, story + trouble
        assert "\x1b" not in story
        for line in (
            "it was promoted exactly at the fence point",
            "the walk-through's SELECT shows its row",
            "a hot copy is not taken for a backup",
            "a hot copy that carries an old mark is found out",
            "an empty database is not taken for a restore",
        ):
            assert f"ok   {line}" in story
        assert_nothing_left(Path(name))


@pytest.mark.parametrize("until", ["commit after another", "sealed"])
def test_ctrl_c_in_the_middle_leaves_nothing(until: str) -> None:
    with tempfile.TemporaryDirectory(prefix="kf-", ignore_cleanup_errors=True) as name:
        with started(Path(name)) as demo:
            assert demo.stdout is not None
            assert any(until in line for line in demo.stdout)
            assert processes_of(Path(name)), "there is something to leave behind"
            os.killpg(demo.pid, signal.SIGINT)
            demo.communicate(timeout=60)
        assert demo.returncode == 130
        assert_nothing_left(Path(name))
