"""A fence that fails after it began: everything of ours is taken back, and the replica streams again."""

import json

import pytest

from tests.lab.lab import Lab, Process
from tests.scenarios.protected import ELECTED, OTHER, PRIMARY, Protected, told

pytestmark = pytest.mark.lab


def assert_rolled_back(cluster: Protected) -> None:
    assert cluster.fenced == []
    assert cluster.record["state"] == "ended"
    assert cluster.record["verdict"] == "rolled-back"
    assert cluster.marks() == []
    cluster.await_running()
    cluster.await_healthy()
    assert "FenceRolledBack" in cluster.events()


def await_step(process: Process, step: str) -> None:
    """Read the product's log until that step is told."""
    assert process.stderr is not None
    for line in process.stderr:
        if json.loads(line)["step"] == step:
            return
    pytest.fail(f"the product ended before the step {step!r}")


def test_a_hook_that_fails(sturdy: Protected) -> None:
    sturdy.lab.faults.hook_exit = 7
    done = sturdy.fence()
    assert done.returncode == 1
    assert "exit code 7" in told(done)["found"]
    assert_rolled_back(sturdy)


def test_a_hook_that_hangs(sturdy: Protected) -> None:
    sturdy.lab.faults.hook_hangs = True
    done = sturdy.fence("--hook-timeout", "1")
    assert done.returncode == 1
    assert "did not end within 1 s" in told(done)["found"]
    assert_rolled_back(sturdy)


def test_an_entry_that_the_hook_places_late_is_still_known_to_be_ours(sturdy: Protected) -> None:
    """The connection to the operator's command is cut, and the command goes on in the pod."""
    sturdy.lab.faults.hook_delay = 5
    with sturdy.lab.start_kanfunc("fence", "--namespace", sturdy.namespace) as process:
        await_step(process, "replayed")
        sturdy.lab.wait_for("the hook to be announced", lambda: sturdy.record.get("late"))
        sturdy.lab.wait_for("the hook to run", lambda: sturdy.lab.api.cut_execs() or process.poll())
        _, log = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "was cut" in json.loads(log.splitlines()[-1])["found"]
    assert sturdy.record["verdict"] == "rolled-back"
    sturdy.lab.wait_for("the late entry", lambda: sturdy.fenced == [ELECTED])
    assert sturdy.unfence(outcome="failure").returncode == 0
    assert_rolled_back(sturdy)


def test_postgresql_that_does_not_stop(sturdy: Protected) -> None:
    sturdy.lab.faults.ignore_fence = True
    done = sturdy.fence("--stop-timeout", "1")
    assert done.returncode == 1
    assert "still runs 1 s after it was fenced" in told(done)["found"]
    assert "switchoverDelay" in told(done)["next"]
    assert_rolled_back(sturdy)


def test_an_immediate_shutdown(sturdy: Protected) -> None:
    sturdy.lab.faults.stop_mode = "immediate"
    done = sturdy.fence()
    assert done.returncode == 2
    assert "in archive recovery" in told(done)["found"]
    assert_rolled_back(sturdy)


def test_a_replica_that_is_too_late(sturdy: Protected) -> None:
    elected = sturdy.lab.server(sturdy.namespace, ELECTED)
    elected.sql("select pg_wal_replay_pause()")
    done = sturdy.fence("--replay-timeout", "1")
    assert done.returncode == 3
    assert "bytes" in told(done)["found"]
    assert elected.running
    elected.sql("select pg_wal_replay_resume()")
    assert_rolled_back(sturdy)


def test_a_mark_that_cannot_be_written(sturdy: Protected) -> None:
    volume = sturdy.lab.server(sturdy.namespace, ELECTED).volume
    mode = volume.stat().st_mode
    volume.chmod(0o555)
    done = sturdy.fence()
    volume.chmod(mode)
    assert done.returncode == 1
    assert "Permission denied" in told(done)["found"]
    assert_rolled_back(sturdy)


@pytest.mark.parametrize("step", ["placing", "fenced"])
def test_sigterm(sturdy: Protected, step: str) -> None:
    sturdy.lab.faults.ignore_fence = True
    sturdy.lab.faults.hook_delay = 1
    with sturdy.lab.start_kanfunc("fence", "--namespace", sturdy.namespace) as process:
        await_step(process, step)
        process.terminate()
        _, log = process.communicate(timeout=60)
    assert process.returncode == 1
    assert json.loads(log.splitlines()[-1])["found"] == "ended by SIGTERM"
    sturdy.lab.faults.hook_delay = 0
    if step == "placing":  # the operator's command outlives us, and its entry is ours to clear
        sturdy.unfence(outcome="failure")
    assert_rolled_back(sturdy)


def test_an_election_that_changes_before_the_seal(sturdy: Protected) -> None:
    key = "k8s.enterprisedb.io/backupInstance"
    sturdy.lab.faults.pause_election()
    sturdy.lab.faults.hook_delay = 1
    with sturdy.lab.start_kanfunc("fence", "--namespace", sturdy.namespace) as process:
        await_step(process, "replayed")
        sturdy.annotate(key, OTHER)
        _, log = process.communicate(timeout=60)
    sturdy.annotate(key, ELECTED)
    assert process.returncode == 3
    assert "announces" in json.loads(log.splitlines()[-1])["found"]
    assert_rolled_back(sturdy)


def test_all_clusters_of_a_call_are_taken_back_when_one_fails(lab: Lab) -> None:
    lab.create_cluster("twins", "alpha")
    lab.create_cluster("twins", "beta")
    lab.server("twins", "beta-2").volume.chmod(0o555)
    done = lab.kanfunc("fence", "--namespace", "twins")
    lab.server("twins", "beta-2").volume.chmod(0o755)
    assert done.returncode == 1
    for name in ("alpha", "beta"):
        cluster = Protected(lab, "twins", name)
        assert cluster.record["verdict"] == "rolled-back"
        assert cluster.fenced == []
        assert cluster.marks(f"{name}-2") == []
        cluster.await_healthy()
    Protected(lab, "twins").delete_namespace()


def test_the_primary_keeps_running_throughout(sturdy: Protected) -> None:
    assert sturdy.running(PRIMARY)
