import pytest

from kanfunc.domain.flavour import EDB
from kanfunc.domain.world import Cluster, Instance, RunningBackup
from tests.builders import NOW, backup_manifest, cluster_manifest, healthy, pod_manifest


def test_bare_cluster_is_read() -> None:
    manifest = {"metadata": {"name": "pg", "namespace": "prod", "uid": "u"}}
    read = Cluster.from_manifest(manifest, EDB, NOW)
    assert (read.annotations, read.spec, read.record_text, read.deleting) == ({}, {}, None, False)
    assert not read.settled_primary
    assert not read.fenced


def test_primary_is_settled_only_when_both_agree() -> None:
    manifest = cluster_manifest()
    assert Cluster.from_manifest(manifest, EDB, NOW).settled_primary == "pg-1"
    manifest["status"]["targetPrimary"] = "pg-2"
    assert Cluster.from_manifest(manifest, EDB, NOW).settled_primary is None


@pytest.mark.parametrize("conditions", [[], None, [{"type": "Ready", "status": "False"}]])
def test_pod_is_ready_only_when_it_says_so(conditions: object) -> None:
    manifest = pod_manifest("pg-2") | {"status": {"conditions": conditions}}
    assert not Instance.from_manifest(manifest).ready


def test_pod_on_its_way_out_is_not_ready() -> None:
    manifest = pod_manifest("pg-2")
    assert Instance.from_manifest(manifest).ready
    manifest["metadata"]["deletionTimestamp"] = "2026-11-23T09:00:00Z"
    assert not Instance.from_manifest(manifest).ready


def test_mounts_are_those_of_the_postgres_container() -> None:
    manifest = pod_manifest("pg-2", claims={"pg-2": "/data", "pg-2-wal": "/wal"})
    manifest["spec"]["volumes"].append({"name": "scratch", "emptyDir": {}})
    manifest["spec"]["containers"][0]["volumeMounts"].append({"name": "scratch", "mountPath": "/run"})
    manifest["spec"]["containers"].append(
        {"name": "sidecar", "volumeMounts": [{"name": "pg-2", "mountPath": "/elsewhere"}]}
    )
    assert Instance.from_manifest(manifest).mounts == {"pg-2": "/data", "pg-2-wal": "/wal"}


@pytest.mark.parametrize("phase", ["", "pending", "started", "running", "finalizing", "walArchivingFailing"])
def test_backup_runs_until_it_has_ended(phase: str) -> None:
    backup = RunningBackup.from_manifest(backup_manifest("nightly", phase=phase, instance="pg-3"))
    assert backup == RunningBackup(name="nightly", cluster="pg", instance="pg-3")


@pytest.mark.parametrize("phase", ["completed", "failed"])
def test_backup_that_has_ended_is_none(phase: str) -> None:
    assert RunningBackup.from_manifest(backup_manifest("nightly", phase=phase)) is None


def test_world_finds_pods_and_their_volumes() -> None:
    world = healthy().world()
    assert world.primary is not None
    assert world.primary.name == "pg-1"
    assert world.instance("pg-9") is None
    assert [volume.name for volume in world.volumes_of(world.primary)] == ["pg-1"]
