"""Cells of the fault matrix on real PostgreSQL: a TCP proxy cuts what the API server says in its middle, be
it an answer, a watch, or the output of a command in a pod; the primary changes.
"""

import os

import pytest

from tests.lab.kasten import HookResult, Policy
from tests.lab.lab import Completed
from tests.lab.proxy import Proxy
from tests.scenarios.protected import ELECTED, OTHER, Protected, told
from tests.scenarios.test_unfence import request_snapshot

pytestmark = pytest.mark.lab
FAR = 10**6
EVERY = [number / 20 for number in range(2, 20)]
SHARES = EVERY if os.environ.get("KANFUNC_EVERY_REQUEST") else [0.45, 0.9]


def through(cluster: Protected, cut_at: int, *arguments: str) -> tuple[Completed, int]:
    """The product behind a proxy that cuts that piece; and how many pieces there were."""
    pieces: list[int] = []

    def cut(number: int, _: bytes) -> bool:
        pieces.append(number)
        return number == cut_at

    with Proxy(int(cluster.lab.api.url.rpartition(":")[2]), cut) as proxy:
        done = cluster.lab.kanfunc(*arguments, "--namespace", cluster.namespace, port=proxy.port, timeout=90)
    return done, len(pieces)


def assert_nothing_stands(cluster: Protected) -> None:
    assert cluster.fenced == []
    assert cluster.record["state"] == "ended"
    cluster.await_healthy()


def cut_once(cluster: Protected, share: float, pieces: dict[str, int]) -> None:
    """A whole backup; fence and unfence are cut once, after that share of what they are told."""
    done, _ = through(cluster, round(pieces["fence"] * share), "fence")
    assert "Traceback" not in done.stderr
    if done.returncode:
        assert done.returncode in {1, 2, 3, 4}, told(done)
        if done.returncode == 4 or cluster.fenced:  # the operator's command may outlive its connection
            assert cluster.unfence(outcome="failure").returncode == 0
        assert_nothing_stands(cluster)
        assert cluster.fence().returncode == 0
    assert not cluster.running()
    assert cluster.marks() == [cluster.record["id"]]
    request_snapshot(cluster, ELECTED)
    unfence = ("unfence", "--outcome", "success")
    done, _ = through(cluster, round(pieces["unfence"] * share), *unfence)
    assert done.returncode in {0, 1, 4}, told(done)
    assert cluster.unfence().returncode == 0
    assert cluster.record["verdict"] == "held"
    assert_nothing_stands(cluster)
    assert cluster.marks() == []


@pytest.mark.timeout(600)
def test_a_cut_anywhere_changes_no_verdict(protected: Protected) -> None:
    pieces = {}
    done, pieces["fence"] = through(protected, FAR, "fence")
    assert done.returncode == 0, done.stderr
    request_snapshot(protected, ELECTED)
    done, pieces["unfence"] = through(protected, FAR, "unfence", "--outcome", "success")
    assert done.returncode == 0, done.stderr
    protected.await_healthy()
    for share in SHARES:
        cut_once(protected, share, pieces)


def test_a_primary_that_changes_while_the_fence_stands(protected: Protected) -> None:
    """The fenced copy is as cold as before, and what is restored of it continues the old timeline."""

    def fence_and_switch(namespace: str) -> HookResult:
        result = protected.hook("fence")(namespace)
        protected.lab.switchover(namespace, protected.name, OTHER)
        return result

    policy = Policy(
        protected.namespace,
        pre_hook=fence_and_switch,
        on_success=protected.hook("unfence", "--outcome", "success"),
    )
    action = protected.lab.kasten.run(policy)
    assert action.restore_point, action.error
    assert protected.record["verdict"] == "held"
    assert_nothing_stands(protected)
    restored = protected.restored(protected.lab.kasten.export(action.restore_point))
    done = restored.verify()
    assert done.returncode == 0, done.stderr
