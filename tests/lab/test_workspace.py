import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.lab.workspace import LabError, Workspace

# A parent that holds a workspace with a process in it, and an unmarked child that outlives it: were the
# pipe's write end inherited, the janitor would wait for that child.
OWNER = """
import json, subprocess, sys
from tests.lab.workspace import Workspace
workspace = Workspace.open()
member = workspace.spawn(["sleep", "60"], workspace.environment(), log=workspace.path / "log")
stranger = subprocess.Popen(["sleep", "60"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
print(json.dumps({"path": str(workspace.path), "member": member.pid, "stranger": stranger.pid}), flush=True)
sys.stdin.read()
"""


def alive(pid: int) -> bool:
    status = Path(f"/proc/{pid}/stat")
    return status.exists() and ") Z " not in status.read_text()


def test_it_is_traversable_by_the_unprivileged_user_and_removed_at_the_end() -> None:
    with Workspace.open() as workspace:
        assert workspace.path.stat().st_mode & 0o777 == 0o711
        inner = workspace.directory("volumes", "edb")
        workspace.run(["test", "-x", inner])
    assert not workspace.path.exists()


def test_closing_again_is_harmless() -> None:
    workspace = Workspace.open()
    workspace.close()
    workspace.close()


def test_closing_ends_its_processes_and_no_others() -> None:
    with Workspace.open() as other, Workspace.open() as workspace:
        log = other.path / "log"
        stranger = other.spawn(["sleep", "60"], other.environment(), log=log)
        member = workspace.spawn(["sleep", "60"], workspace.environment(), log=workspace.path / "log")
        workspace.close()
        assert member.returncode == -signal.SIGKILL
        assert stranger.poll() is None


def test_the_environment_is_minimal_and_marked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGHOST", "elsewhere")
    with Workspace.open() as workspace:
        environment = workspace.environment(Path("/opt/pg/bin"), PGPORT="5432")
        assert environment == {
            "PATH": "/opt/pg/bin:/usr/bin:/bin",
            "LC_ALL": "C",
            "TZ": "UTC",
            "HOME": str(workspace.path),
            "KANFUNC_LAB": str(workspace.path),
            "PGPORT": "5432",
        }


def test_programs_run_as_the_unprivileged_user() -> None:
    with Workspace.open() as workspace:
        assert workspace.run(["id", "-un"]).strip() == workspace.identity.name != "root"


def test_a_failing_program_is_quoted() -> None:
    with Workspace.open() as workspace, pytest.raises(LabError, match="cannot access '/nowhere'"):
        workspace.run(["ls", "/nowhere"])


def test_a_place_out_of_the_unprivileged_users_reach_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if os.geteuid() != 0:
        pytest.skip("an ordinary user is the unprivileged user")
    tmp_path.chmod(0o700)
    monkeypatch.setenv("KANFUNC_LAB_DIR", str(tmp_path))
    with pytest.raises(LabError, match="set KANFUNC_LAB_DIR"):
        Workspace.open()
    assert list(tmp_path.iterdir()) == []


def test_reserved_ports_differ() -> None:
    with Workspace.open() as workspace:
        assert len({workspace.reserve_port() for _ in range(20)}) == 20


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_nothing_is_left_when_the_owner_is_ended(number: signal.Signals) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", OWNER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
        start_new_session=True,
    ) as owner:
        assert owner.stdout is not None
        left = json.loads(owner.stdout.readline())
        assert alive(left["member"])
        os.kill(owner.pid, number)
        owner.communicate(timeout=20)  # ends when the janitor does: it holds the standard error too
    try:
        assert not Path(left["path"]).exists()
        assert not alive(left["member"])
        assert alive(left["stranger"])
    finally:
        os.kill(left["stranger"], signal.SIGKILL)
