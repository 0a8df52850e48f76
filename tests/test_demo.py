"""The demo as a person runs it: piped, interrupted in the middle, and where a claim does not hold."""

import io
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from rich.console import Console

from tests.lab.demo.__main__ import told
from tests.lab.demo.backup import back_up
from tests.lab.demo.opening import open_story
from tests.lab.demo.scene import ClaimFailed, Scene
from tests.lab.demo.stage import Claim, Narrator, PlainNarrator, TerminalNarrator
from tests.lab.lab import Lab
from tests.lab.workspace import LabError

pytestmark = [pytest.mark.lab, pytest.mark.timeout(240)]

REPOSITORY = Path(__file__).parents[1]
COMMAND = [sys.executable, "-m", "tests.lab.demo"]


def started(directory: Path, **environment: str) -> subprocess.Popen[str]:
    """The demo in a session of its own, with its lab in that directory."""
    directory.chmod(0o711)
    return subprocess.Popen(
        COMMAND,
        cwd=REPOSITORY,
        env={**os.environ, "KANFUNC_LAB_DIR": str(directory), **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def belongs(process: Path, directory: Path) -> bool:
    """Whether a process is of a lab in that directory: PostgreSQL's backends write over their environment."""
    try:
        environment = (process / "environ").read_bytes()
        return f"KANFUNC_LAB={directory}/".encode() in environment or str(
            (process / "cwd").readlink()
        ).startswith(f"{directory}/")
    except OSError:
        return False  # it has ended meanwhile


def processes_of(directory: Path) -> list[Path]:
    return [process for process in Path("/proc").glob("[0-9]*") if belongs(process, directory)]


def assert_nothing_left(directory: Path) -> None:
    assert processes_of(directory) == []
    assert list(directory.iterdir()) == []


def test_it_shows_every_claim_in_plain_text_when_piped() -> None:
    with tempfile.TemporaryDirectory(prefix="kf demo ", ignore_cleanup_errors=True) as name:
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
    with tempfile.TemporaryDirectory(prefix="kf demo ", ignore_cleanup_errors=True) as name:
        with started(Path(name)) as demo:
            assert demo.stdout is not None
            assert any(until in line for line in demo.stdout)
            assert processes_of(Path(name)), "there is something to leave behind"
            os.killpg(demo.pid, signal.SIGINT)
            demo.communicate(timeout=60)
        assert demo.returncode == 130
        assert_nothing_left(Path(name))


def test_an_interrupt_stays_one_when_the_clean_up_fails() -> None:
    said = io.StringIO()

    def story(_narrator: Narrator, _made: list[Claim]) -> None:
        try:
            signal.raise_signal(signal.SIGINT)
        finally:
            raise LabError("the writer was cut off")

    before = signal.getsignal(signal.SIGINT)
    try:
        assert told(story, PlainNarrator(said)) == 130
    finally:
        signal.signal(signal.SIGINT, before)
    assert "Interrupted" in said.getvalue()


def test_a_lab_that_cannot_run_is_said_and_fails() -> None:
    with tempfile.TemporaryDirectory(prefix="kf demo ") as name:
        with started(Path(name), KANFUNC_LAB_PG_BIN="/nowhere") as demo:
            story, _ = demo.communicate(timeout=60)
        assert demo.returncode == 1
        assert "BROKEN OFF, not shown: /nowhere lacks postgres" in story
        assert_nothing_left(Path(name))


def test_a_backup_that_is_not_cold_ends_the_story() -> None:
    with Lab.open() as lab:
        scene = Scene(lab, PlainNarrator(io.StringIO()), [])
        workload = open_story(scene)
        lab.faults.stop_mode = "immediate"
        with pytest.raises(ClaimFailed, match="the backup is proven"):
            back_up(scene, workload)
        workload.writer.stop()
        assert [claim.holds for claim in scene.claims] == [False]
        assert "exit code 2" in scene.claims[0].evidence


def tell(narrator: Narrator) -> None:
    with narrator:
        narrator.title("a story", [("real", "the stage")])
        narrator.act("The act", "to see it")
        narrator.busy("working")
        narrator.fact("links", " id | name\n----+------")
        claims = [Claim("it holds", "seen", holds=True), Claim("it does not", "word " * 40, holds=False)]
        for claim in claims:
            narrator.claim(claim)
        narrator.verdict(claims, "NOT HELD: it does not")


def test_plain_form_is_one_line_per_event() -> None:
    stream = io.StringIO()
    tell(PlainNarrator(stream))
    story = stream.getvalue()
    assert not set(story) & {"\x1b", "\r"}
    assert "links            id | name\n" in story
    assert "\nok   it holds     seen\n" in story
    assert "\nBAD  it does not  word word" in story
    assert "working" not in story
    assert story.endswith("NOT HELD: it does not\n")


def test_terminal_form_wraps_within_its_columns() -> None:
    stream = io.StringIO()
    tell(TerminalNarrator(Console(file=stream, width=60, color_system=None, highlight=False)))
    lines = stream.getvalue().splitlines()
    assert max(map(len, lines)) <= 60
    assert any(line.endswith(" id | name") or " id | name " in line for line in lines)
    assert any(line.startswith("BAD") for line in lines)
