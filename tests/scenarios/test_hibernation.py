"""Hibernation: there is no PostgreSQL to prove anything about, so nobody is fenced until it is over."""

import pytest

from tests.lab.apiserver import PODS
from tests.scenarios.protected import ELECTED, OTHER, PRIMARY, Protected, told

pytestmark = pytest.mark.lab


def hibernate(cluster: Protected) -> None:
    cluster.annotate(cluster.dialect.hibernation, "on")
    cluster.lab.wait_for("the pods to go", lambda: not cluster.lab.store.list(PODS, cluster.namespace))


def wake(cluster: Protected) -> None:
    cluster.annotate(cluster.dialect.hibernation, None)
    cluster.await_healthy()


def test_refused_while_hibernated_and_backed_up_afterwards(protected: Protected) -> None:
    hibernate(protected)
    done = protected.fence()
    assert done.returncode == 3, done.stderr
    assert "hibernated" in told(done)["found"]
    assert protected.record == {}
    assert not any(protected.running(name) for name in (PRIMARY, ELECTED, OTHER))
    wake(protected)
    protected.proven_export()


def test_hibernated_during_the_backup_is_told(protected: Protected) -> None:
    """The fence ends all the same, and nothing that was copied meanwhile passes for proven."""
    assert protected.fence().returncode == 0
    hibernate(protected)
    done = protected.unfence()
    assert done.returncode == 1, done.stderr
    assert "no settled primary" in told(done)["found"]
    assert (protected.record["verdict"], protected.fenced) == ("broken", [])
    wake(protected)
    assert protected.unfence(outcome="failure").returncode == 0
    protected.proven_export()
