"""What a killed fence leaves behind, the next one takes over or clears away."""

import pytest

from tests.scenarios.protected import ELECTED, Protected
from tests.scenarios.test_fence_rolls_back import await_step

pytestmark = pytest.mark.lab


def test_a_sealed_fence_is_taken_over_under_a_new_id(protected: Protected) -> None:
    assert protected.fence().returncode == 0
    before = protected.record
    done = protected.fence()
    assert done.returncode == 0, done.stderr
    after = protected.record
    assert after["id"] != before["id"]
    assert after["proof"] == before["proof"], "it is as fresh as the run that made it, and says so"
    assert protected.marks() == [after["id"]]
    assert not protected.running()
    assert protected.unfence(outcome="failure").returncode == 0
    assert protected.marks() == []
    protected.await_healthy()


def test_a_sealed_fence_in_which_postgresql_ran_is_not_taken_over(protected: Protected) -> None:
    assert protected.fence().returncode == 0
    before = protected.record
    protected.set_fenced()
    protected.await_healthy()
    protected.set_fenced(ELECTED)
    protected.await_running(running=False)
    done = protected.fence()
    assert done.returncode == 0, done.stderr
    assert protected.record["proof"]["xid"] != before["proof"]["xid"], "it was fenced anew"
    assert protected.record["proof"]["digest"] != before["proof"]["digest"]


@pytest.mark.parametrize("step", ["placing", "fenced"])
def test_a_fence_that_was_killed_before_its_seal_is_released_first(protected: Protected, step: str) -> None:
    protected.lab.faults.ignore_fence = True
    with protected.lab.start_kanfunc("fence", "--namespace", protected.namespace) as process:
        await_step(process, step)
        process.kill()
    before = protected.record
    assert before["state"] in {"placing", "fenced"}
    protected.lab.faults.ignore_fence = False
    done = protected.fence()
    assert done.returncode == 0, done.stderr
    assert protected.record["id"] != before["id"]
    assert protected.record["state"] == "sealed"
    assert protected.fenced == [ELECTED]


def test_nothing_of_ours_stands_after_a_kill_and_a_failed_backup(protected: Protected) -> None:
    with protected.lab.start_kanfunc("fence", "--namespace", protected.namespace) as process:
        await_step(process, "fenced")
        process.kill()
    assert protected.unfence(outcome="failure").returncode == 0
    assert protected.fenced == []
    assert protected.record["verdict"] == "rolled-back"
    protected.await_healthy()
