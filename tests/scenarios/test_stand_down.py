"""Before the product is removed, nothing of it may stand."""

import pytest

from tests.scenarios.protected import ELECTED, Protected, told

pytestmark = pytest.mark.lab


def stand_down(cluster: Protected, wait: int) -> int:
    return cluster.lab.kanfunc("stand-down", "--drain-timeout", f"{wait}").returncode


def test_nothing_to_wait_for(protected: Protected) -> None:
    assert stand_down(protected, 60) == 0


def test_a_backup_that_runs_comes_to_its_end(protected: Protected) -> None:
    assert protected.fence().returncode == 0
    with protected.lab.start_kanfunc("stand-down", "--drain-timeout", "60") as waiting:
        assert waiting.stderr
        assert "a fence stands" in waiting.stderr.readline()
        assert protected.fenced == [ELECTED]
        assert protected.unfence(outcome="failure").returncode == 0
        assert waiting.wait(60) == 0
    assert protected.record["verdict"] == "rolled-back"


def test_a_fence_that_does_not_end_is_ended(protected: Protected) -> None:
    assert protected.fence().returncode == 0
    assert stand_down(protected, 1) == 0
    assert (protected.fenced, protected.record["verdict"]) == ([], "broken")
    assert protected.marks() == []
    assert "FenceEnded" in protected.events()
    protected.await_running()
    late = protected.unfence()
    assert late.returncode == 2
    assert "is broken: kanfunc stood down" in told(late)["found"]
