"""unfence: what held is proven, what did not is told, and nothing of ours stays."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.lab.apiserver import PODS, PVCS, VOLUME_SNAPSHOTS
from tests.lab.kasten import State
from tests.lab.operator.decorations import HAS_HOOKS
from tests.scenarios.protected import ELECTED, OTHER, PRIMARY, Protected, told

pytestmark = pytest.mark.lab

Manifest = dict[str, Any]


def fenced(cluster: Protected) -> Protected:
    done = cluster.fence()
    assert done.returncode == 0, done.stderr
    assert not cluster.running()
    assert cluster.marks() == [cluster.record["id"]]
    return cluster


def request_snapshot(cluster: Protected, claim: str, *, cut: bool = True) -> Manifest:
    """A VolumeSnapshot as a backup product asks for it; its data is of no interest here."""
    manifest = {
        "apiVersion": VOLUME_SNAPSHOTS.api_version,
        "kind": VOLUME_SNAPSHOTS.kind,
        "metadata": {"generateName": "snap-", "namespace": cluster.namespace},
        "spec": {"source": {"persistentVolumeClaimName": claim}},
    }
    snapshot = cluster.lab.store.create(VOLUME_SNAPSHOTS, manifest)
    if cut:
        set_cut(cluster, snapshot["metadata"]["name"])
    return snapshot


def set_cut(cluster: Protected, name: str) -> None:
    def edit(snapshot: Manifest) -> None:
        snapshot["status"] = {"creationTime": "2026-01-01T00:00:00Z", "readyToUse": True}

    cluster.lab.store.update(VOLUME_SNAPSHOTS, cluster.namespace, name, edit, status=True)


def assert_broken(cluster: Protected, reason: str, *options: str) -> None:
    done = cluster.unfence(*options)
    assert done.returncode == 2
    assert reason in told(done)["found"]
    assert cluster.record["verdict"] == "broken"
    assert_nothing_stands(cluster)


def assert_nothing_stands(cluster: Protected) -> None:
    assert cluster.fenced == []
    assert cluster.record["state"] == "ended"


def test_a_fence_that_held(protected: Protected) -> None:
    fenced(protected)
    request_snapshot(protected, ELECTED)
    done = protected.unfence()
    assert done.returncode == 0, done.stderr
    assert protected.record["verdict"] == "held"
    assert_nothing_stands(protected)
    assert protected.running()
    assert protected.marks() == []

    again = protected.unfence()
    assert again.returncode == 0, "a killed hook is run again, and ends with the same verdict"

    request_snapshot(protected, ELECTED)
    later = protected.unfence()
    assert later.returncode == 2
    assert "snapshots were taken after fence" in told(later)["found"]


def test_a_whole_policy_run(protected: Protected) -> None:
    action = protected.back_up()
    assert (action.state, action.error) == (State.COMPLETE, "")
    assert [s["spec"]["source"]["persistentVolumeClaimName"] for s in protected.snapshots()] == [ELECTED]
    assert protected.record["verdict"] == "held"
    assert sorted(protected.events()) == ["BackupProven", "Fenced"]  # their names are random
    protected.await_healthy()


def test_postgresql_was_started_in_between(protected: Protected) -> None:
    fenced(protected)
    request_snapshot(protected, ELECTED)
    protected.set_fenced()
    protected.await_healthy()
    protected.set_fenced(ELECTED)
    protected.await_running(running=False)
    assert_broken(protected, "PostgreSQL was started")


def test_the_fence_was_lifted(protected: Protected) -> None:
    fenced(protected)
    request_snapshot(protected, ELECTED)
    protected.set_fenced()
    protected.await_running()
    assert_broken(protected, "was lifted")


def test_nothing_was_fenced(sturdy: Protected) -> None:
    done = sturdy.unfence()
    assert done.returncode == 2
    assert "BackupNotProven" in sturdy.events()
    assert "was not fenced" in told(done)["found"]
    assert sturdy.unfence(outcome="failure").returncode == 0


def test_after_a_failed_backup_the_fence_is_released(protected: Protected) -> None:
    fenced(protected)
    assert protected.unfence(outcome="failure").returncode == 0
    assert_nothing_stands(protected)
    assert protected.marks() == []
    protected.await_healthy()
    assert protected.unfence().returncode == 2


def test_somebody_elses_entry_stays(protected: Protected) -> None:
    fenced(protected)
    protected.set_fenced(ELECTED, OTHER)
    protected.await_running(OTHER, running=False)
    assert protected.unfence(outcome="failure").returncode == 0
    assert protected.fenced == [OTHER]
    protected.await_running()


def test_no_snapshot_was_taken(protected: Protected) -> None:
    fenced(protected)
    assert_broken(protected, f"no snapshot was taken of {ELECTED}")


def test_an_older_snapshot_does_not_count(protected: Protected) -> None:
    request_snapshot(protected, ELECTED)
    fenced(protected)
    assert_broken(protected, f"no snapshot was taken of {ELECTED}")


def test_a_snapshot_of_another_volume(protected: Protected) -> None:
    def everything(_chosen: list[Manifest]) -> list[Manifest]:
        return protected.lab.store.list(PVCS, protected.namespace)

    action = protected.back_up(choose=everything)
    assert action.state is State.FAILED
    assert "volumes of instances that were not fenced were snapshotted" in action.error
    assert protected.record["verdict"] == "broken"
    assert_nothing_stands(protected)


def test_a_snapshot_that_is_not_cut_yet(protected: Protected) -> None:
    fenced(protected)
    request_snapshot(protected, ELECTED)
    late = request_snapshot(protected, ELECTED, cut=False)
    with protected.lab.start_kanfunc(
        "unfence", "--namespace", protected.namespace, "--outcome", "success"
    ) as process:
        protected.lab.wait_for(
            "unfence to watch the snapshots",
            lambda: any(
                r.plural == "volumesnapshots" and r.verb == "watch" for r in protected.lab.api.requests
            ),
        )
        assert protected.record["state"] == "sealed"
        assert not protected.running()
        set_cut(protected, late["metadata"]["name"])
        _, log = process.communicate(timeout=60)
    assert process.returncode == 0, log
    assert protected.record["verdict"] == "held"


def test_a_snapshot_that_is_never_cut(protected: Protected) -> None:
    fenced(protected)
    request_snapshot(protected, ELECTED, cut=False)
    assert_broken(protected, "after 1 s: not cut: ", "--snapshot-timeout", "1")


def test_the_election_changed_meanwhile(protected: Protected) -> None:
    """Who was fenced is remembered, not guessed."""
    fenced(protected)
    request_snapshot(protected, ELECTED)
    protected.lab.faults.pause_election()
    protected.label_pod(ELECTED, HAS_HOOKS, None)
    protected.label_pod(OTHER, HAS_HOOKS, "true")
    done = protected.unfence()
    assert done.returncode == 0, done.stderr
    assert protected.record["instance"] == ELECTED
    assert protected.running()


def test_the_pod_was_replaced(protected: Protected) -> None:
    """The volumes count: a pod under the same name with the same volumes is reported, not judged."""
    fenced(protected)
    request_snapshot(protected, ELECTED)
    before = protected.lab.store.get(PODS, protected.namespace, ELECTED)["metadata"]["uid"]
    protected.lab.store.delete(PODS, protected.namespace, ELECTED)

    def replaced() -> bool:
        pods = protected.lab.store.list(PODS, protected.namespace, fields=f"metadata.name={ELECTED}")
        return bool(pods) and pods[0]["metadata"]["uid"] != before

    protected.lab.wait_for("the pod to come back", replaced)
    done = protected.unfence()
    assert done.returncode == 0, done.stderr
    assert "pod was replaced" in done.stderr


def test_the_instance_is_gone(protected: Protected) -> None:
    fenced(protected)
    request_snapshot(protected, ELECTED)
    protected.lab.store.delete(PVCS, protected.namespace, ELECTED)
    protected.lab.store.delete(PODS, protected.namespace, ELECTED)
    pods = f"metadata.name={protected.name}-4"
    protected.lab.wait_for(
        "another instance", lambda: protected.lab.store.list(PODS, protected.namespace, fields=pods)
    )
    assert_broken(protected, "is gone", "--snapshot-timeout", "2", "--stream-timeout", "1")


def test_the_primary_never_stops(protected: Protected) -> None:
    started = Path(
        protected.lab.primary(protected.namespace, protected.name).pgdata, "postmaster.pid"
    ).read_text()
    assert protected.back_up().state is State.COMPLETE
    server = protected.lab.server(protected.namespace, PRIMARY)
    assert Path(server.pgdata, "postmaster.pid").read_text() == started


def test_the_good_backup_of_a_replica_that_does_not_come_back(protected: Protected) -> None:
    fenced(protected)
    request_snapshot(protected, ELECTED)
    protected.lab.primary(protected.namespace, protected.name).sql("alter role streaming_replica nologin")
    done = protected.unfence("--stream-timeout", "1")
    assert done.returncode == 1
    line = told(done)
    assert "does not stream" in line["found"]
    assert "the backup is proven" in line["left"]
    assert json.loads(protected.annotations["kanfunc.io/fence"])["verdict"] == "held"
