"""Fences that are disturbed: by the end of their own pod, the operator, a lost primary, an uninstall."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

import pytest

from tests.cluster.application import NAME, Application
from tests.cluster.conftest import install, uninstall
from tests.cluster.kasten.hooks import Kanister
from tests.cluster.kasten.runner import Kasten
from tests.cluster.node.addons import KASTEN_NAMESPACE
from tests.cluster.node.client import KUBECTL, apply, kubectl
from tests.cluster.node.places import EXISTING
from tests.cluster.node.processes import ctr, eventually
from tests.cluster.node.storage import SNAPSHOT_CLASS
from tests.cluster.resources import ACTION_SETS
from tests.lab.apiserver import CNPG_BACKUPS, EVENTS, PODS, Manifest
from tests.lab.operator.names import CNPG, serial_of

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]

SEGMENT = 16 << 20


@pytest.fixture(scope="module")
def standing(kasten: Kasten) -> Iterator[Application]:
    """Three instances for all tests here; each leaves it healthy and without a fence."""
    install(CNPG, "binding")
    application = Application(kasten, "disturbed", CNPG, "binding")
    application.create(backup={"volumeSnapshot": {"className": SNAPSHOT_CLASS}})
    yield application
    application.delete_namespace()


@pytest.fixture
def application(standing: Application) -> Iterator[Application]:
    install(CNPG, "binding")
    standing.await_ready()
    eventually("an instance to be elected", lambda: standing.elected)
    yield standing
    if standing.fenced:
        standing.hook("backupFailed")


def test_the_primarys_pod_goes_while_one_of_two_instances_is_fenced(application: Application) -> None:
    """It is held and told, beyond the deadline, by hooks too: lifted, the fence would let commits be lost.

    First of all tests: later ones may let another instance be elected, and the newest is scaled away.
    """
    install(CNPG, "binding", "timeouts.deadline=60", "watchdog.patience=5")
    application.fence()
    fence, lost = application.record, application.primary
    newest = max(set(application.instances()) - {lost}, key=serial_of)
    assert newest != fence["instance"], "the operator removes the newest replica: that must be another one"
    application.scale(2)
    application.query(lost, "CREATE TABLE committed (); COMMENT ON TABLE committed IS 'while fenced'")
    kubectl("delete", "pod", "--namespace", application.namespace, lost, "--wait=false")
    eventually("the alarm", lambda: _event(application, "PrimaryLostWhileFenced"), 120)
    assert "bytes of WAL" in _event(application, "PrimaryLostWhileFenced")
    eventually("the deadline to pass", lambda: _is_past(fence["deadline"]), 120)
    held = application.hook("backupFailed")
    assert held.exit_code
    assert "nobody leads" in held.output
    assert application.fenced == [fence["instance"]]

    # as the runbook says: the operator then starts the primary on its volume
    kubectl("delete", "pod", "--namespace", application.namespace, fence["instance"], "--wait=false")
    application.await_record("ended")  # by the watchdog
    application.scale(3)
    assert application.primary == lost
    comment = application.query(lost, "SELECT obj_description('committed'::regclass)")
    assert comment == "while fenced", "a commit is lost"


def test_a_container_that_restarts_stays_fenced(application: Application) -> None:
    application.fence()
    elected = application.elected
    application.postgres(elected, "sh", "-c", "kill 1")
    eventually("the container to restart", lambda: _restarts(application, elected) > 0)
    _finish_proven(application)


def test_the_operator_restarts_while_an_instance_is_fenced(application: Application) -> None:
    application.fence()
    manager = "deployment/cnpg-controller-manager"
    kubectl("rollout", "restart", "--namespace", "cnpg-system", manager)
    kubectl("rollout", "status", "--namespace", "cnpg-system", manager, "--timeout=120s")
    _finish_proven(application)


def test_the_operators_own_backup_while_an_instance_is_fenced(application: Application) -> None:
    application.fence()
    fenced = application.fenced
    apply(
        {
            "apiVersion": CNPG_BACKUPS.api_version,
            "kind": CNPG_BACKUPS.kind,
            "metadata": {"name": "own", "namespace": application.namespace},
            "spec": {"cluster": {"name": NAME}, "method": "volumeSnapshot", "online": False},
        }
    )

    def failed(backup: Manifest) -> bool:
        return (backup.get("status") or {}).get("phase") == "failed"

    application.objects.await_object(CNPG_BACKUPS, application.namespace, "own", failed, 120)
    assert application.fenced == fenced, "our fence stays"
    _finish_proven(application)


def test_a_fence_of_a_quiet_cluster_that_switches_segments(application: Application) -> None:
    """archive_timeout does it: the segment that the fence point begins is not there."""
    switch = "while sleep 0.01; do psql -XAtqc 'SELECT pg_switch_wal()' >/dev/null; done"
    where = ["--namespace", application.namespace, "--container", "postgres", application.primary]
    switching = ["timeout", "60", "bash", "-c", switch]
    for _ in range(3):  # the bgwriter may log a snapshot behind the last switch
        with _in_background("exec", *where, "--", *switching):
            application.fence()
        end = application.record["proof"]["end_of_wal"]
        _finish_proven(application)
        if int(end.partition("/")[2], 16) % SEGMENT == 0:
            return
    pytest.fail(f"none of three fences ended at a boundary of segments, the last at {end}")


def test_a_hook_that_fails_says_why(application: Application) -> None:
    """Nothing was fenced: what was just copied is no backup."""
    application.snapshot()
    done = application.unfence()
    assert done.exit_code
    assert "was not fenced" in done.output


ON_THE_NODE = pytest.mark.skipif(EXISTING, reason="a process is killed on the node itself")


@pytest.mark.parametrize("how", ["ended", pytest.param("killed", marks=ON_THE_NODE)])
def test_the_hooks_pod_goes_in_the_middle_of_a_fence(application: Application, how: str) -> None:
    """SIGTERM rolls back; what a killed process leaves, the watchdog ends at the deadline."""
    install(CNPG, "binding", "timeouts.deadline=60")
    elected = application.elected
    with _stop_held_up(application, elected):
        action = Kanister(application.objects).begin("backupPrehook", application.cluster)
        application.await_record("fenced")
        [pod] = [each for each in _hook_pods(application) if each["status"]["phase"] == "Running"]
        name = pod["metadata"]["name"]
        if how == "killed":
            _kill(pod)
            application.await_record("ended")  # by the watchdog
        kubectl("delete", "pod", "--namespace", KASTEN_NAMESPACE, name, "--ignore-not-found", "--wait=false")
        application.await_record("ended")
        assert application.fenced == []
    assert application.record["verdict"] == ("broken" if how == "killed" else "rolled-back")
    application.objects.await_object(ACTION_SETS, KASTEN_NAMESPACE, action, _has_failed, 120)
    application.await_ready()
    eventually("the instance to stream", lambda: application.streaming(elected))


def test_the_primarys_pod_goes_while_an_instance_is_fenced(application: Application) -> None:
    """The third instance is promoted: nothing is lost, and the fence holds."""
    application.fence()
    fenced, lost = application.elected, application.primary
    application.query(lost, "CREATE TABLE IF NOT EXISTS kept (); COMMENT ON TABLE kept IS 'while fenced'")
    kubectl("delete", "pod", "--namespace", application.namespace, lost, "--wait=false")
    application.await_cluster(lambda cluster: cluster["status"]["currentPrimary"] not in {lost, fenced})
    _finish_proven(application)
    assert (
        application.query(application.primary, "SELECT obj_description('kept'::regclass)") == "while fenced"
    )


def test_our_pods_run_where_only_restricted_ones_may(application: Application) -> None:
    """The API server refuses all others in that namespace: those of the hooks ran there, too."""
    label = "pod-security.kubernetes.io/enforce=restricted"
    assert KASTEN_NAMESPACE in kubectl("get", "namespaces", "--selector", label, "-o", "name")
    privileged = ["run", "privileged", "--image=kanfunc.test/none:1", "--namespace", KASTEN_NAMESPACE]
    with pytest.raises(subprocess.CalledProcessError):
        kubectl(*privileged)
    assert [pod["status"]["phase"] for pod in _watchdogs(application)] == ["Running"]


def test_an_uninstall_while_an_instance_is_fenced(application: Application) -> None:
    """It waits a little, ends the fence, and leaves nothing of ours."""
    install(CNPG, "binding", "uninstall.wait=2")
    application.fence()
    uninstall()
    assert application.fenced == []
    assert application.record["state"] == "ended"
    kinds = "all,serviceaccounts,clusterroles,clusterrolebindings,blueprintbindings,blueprints"
    ours = ["--selector", "app.kubernetes.io/name=edb-kasten", "--all-namespaces", "-o", "name"]
    assert kubectl("get", kinds, *ours).split() == []


def _finish_proven(application: Application) -> None:
    """Snapshots, then `unfence`: the fence held without a break."""
    elected = application.elected
    application.snapshot()
    done = application.unfence()
    assert done.exit_code == 0, done.output
    assert application.record["verdict"] == "held"
    assert application.fenced == []
    assert application.streaming(elected)


def _restarts(application: Application, instance: str) -> int:
    pod = application.objects.get(PODS, application.namespace, instance)
    [status] = [each for each in pod["status"]["containerStatuses"] if each["name"] == "postgres"]
    return int(status["restartCount"])


@contextmanager
def _in_background(*command: str) -> Iterator[None]:
    """kubectl, until the end of the block."""
    process = subprocess.Popen([*KUBECTL, *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.kill()
        process.wait()


@contextmanager
def _stop_held_up(application: Application, instance: str) -> Iterator[None]:
    """PostgreSQL cannot end as long as its checkpointer stands still."""
    query = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'checkpointer'"
    pid = application.query(instance, query)
    application.postgres(instance, "sh", "-c", 'kill -STOP "$0"', pid)
    try:
        yield
    finally:
        application.postgres(instance, "sh", "-c", 'kill -CONT "$0"', pid)


def _has_failed(action_set: Manifest) -> bool:
    return bool((action_set.get("status") or {}).get("state") == "failed")


def _hook_pods(application: Application) -> list[Manifest]:
    found = application.objects.list(PODS, KASTEN_NAMESPACE)
    return [pod for pod in found if pod["metadata"]["name"].startswith("kanister-job")]


def _watchdogs(application: Application) -> list[Manifest]:
    return application.objects.list(PODS, KASTEN_NAMESPACE, labels="app.kubernetes.io/component=watchdog")


def _kill(pod: Manifest) -> None:
    """Its process, which learns nothing of it."""
    [container] = pod["status"]["containerStatuses"]
    ctr("tasks", "kill", "--signal", "SIGKILL", container["containerID"].removeprefix("containerd://"))


def _is_past(instant: str) -> bool:
    return time.time() > datetime.fromisoformat(instant).timestamp()


def _event(application: Application, reason: str) -> str:
    found = application.objects.list(EVENTS, application.namespace, fields=f"reason={reason}")
    return str(found[-1]["message"]) if found else ""
