from dataclasses import replace
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Any

import pytest

from kanfunc.domain.errors import ApiFailed, Conflict, Forbidden, NotFound, WatchBroken
from kanfunc.domain.flavour import EDB
from kanfunc.domain.world import ClusterRef
from kanfunc.gateways.kube import KubeApi
from tests.builders import ADDONS, NOW, REF, backup_manifest, claim_manifest, healthy, pod_manifest
from tests.gateways.conftest import FOREVER, of, put
from tests.lab.apiserver import (
    EDB_BACKUPS,
    EDB_CLUSTERS,
    PODS,
    PVCS,
    STORAGE_CLASSES,
    VOLUME_SNAPSHOT_CLASSES,
    ApiServer,
    Drop,
    Fault,
    Refuse,
    Store,
)

# ---- reading


def test_cluster_is_read_with_the_clock_of_the_server(api: KubeApi) -> None:
    read = api.cluster(REF)
    assert (read.ref, read.settled_primary) == (REF, "pg-1")
    assert read.annotations == {ADDONS: '["kasten"]'}
    assert abs(read.read_at - datetime.now(UTC)) < timedelta(seconds=10)  # noqa: TID251 - the clock it is compared with


def test_clusters_come_in_the_order_of_their_names(api: KubeApi, store: Store) -> None:
    for name in ("zz", "a"):
        manifest = healthy().cluster
        put(store, EDB_CLUSTERS, manifest | {"metadata": {"name": name, "namespace": REF.namespace}})
    assert [cluster.ref.name for cluster in api.clusters(REF.namespace, EDB)] == ["a", "pg", "zz"]
    assert api.clusters("elsewhere", EDB) == ()


def test_world_holds_what_belongs_to_the_cluster_only(api: KubeApi, store: Store) -> None:
    job = pod_manifest("pg-4-join-x7k2p")
    job["metadata"]["labels"][EDB.key("instanceName")] = "pg-4"
    put(store, PODS, job)
    pooler = pod_manifest("pg-pooler-1")
    pooler["spec"]["containers"][0]["name"] = "pgbouncer"
    put(store, PODS, pooler)
    other = claim_manifest("other-1", "other-1")
    other["metadata"]["labels"][EDB.key("cluster")] = "other"
    put(store, PVCS, other)
    world = api.world(REF)
    assert [pod.name for pod in world.instances] == ["pg-1", "pg-2", "pg-3"]
    assert [volume.name for volume in world.volumes] == ["pg-1", "pg-2", "pg-3"]
    assert all(pod.ready for pod in world.instances)


def test_only_running_backups_of_this_cluster_count(api: KubeApi, store: Store) -> None:
    put(store, EDB_BACKUPS, backup_manifest("running", instance="pg-3"))
    put(store, EDB_BACKUPS, backup_manifest("new", phase=""))
    put(store, EDB_BACKUPS, backup_manifest("done", phase="completed"))
    other = backup_manifest("other")
    put(store, EDB_BACKUPS, other | {"spec": {"cluster": {"name": "other"}}})
    assert [backup.name for backup in api.running_backups(REF)] == ["new", "running"]
    assert api.world(REF).backups[1].instance == "pg-3"


@pytest.mark.parametrize("plural", ["volumesnapshots", "backups"])
def test_type_that_is_not_installed_has_no_objects(api: KubeApi, server: ApiServer, plural: str) -> None:
    server.faults.append(Fault(of(plural), Refuse(404), FOREVER))
    assert (api.snapshots(REF.namespace), api.running_backups(REF)) == ((), ())


@pytest.mark.parametrize("plural", ["volumesnapshots", "backups"])
def test_type_that_may_not_be_read_is_a_failure(api: KubeApi, server: ApiServer, plural: str) -> None:
    server.faults.append(Fault(of(plural), Refuse(403), FOREVER))
    with pytest.raises(ApiFailed, match="could not list"):
        _ = api.snapshots(REF.namespace), api.running_backups(REF)


def test_operator_that_is_not_installed_is_not_found(api: KubeApi, server: ApiServer) -> None:
    server.faults.append(Fault(of("clusters"), Refuse(404)))
    with pytest.raises(NotFound):
        api.clusters(REF.namespace, EDB)


# ---- failures


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (401, Forbidden),
        (403, Forbidden),
        (404, NotFound),
        (409, Conflict),
        (410, WatchBroken),
        (500, ApiFailed),
    ],
)
def test_refusal_is_told_by_its_kind(
    api: KubeApi, server: ApiServer, code: int, kind: type[ApiFailed]
) -> None:
    server.faults.append(Fault(of("clusters"), Refuse(code), FOREVER))
    with pytest.raises(kind) as failed:
        api.cluster(REF)
    assert failed.value.found == f"could not read Cluster prod/pg: {code} injected failure"
    assert failed.value.remedy
    assert type(failed.value) is kind


def test_server_that_is_busy_is_asked_again_when_it_says(api: KubeApi, server: ApiServer) -> None:
    server.faults.append(Fault(of("clusters"), Refuse(429)))
    begun = monotonic()
    assert api.cluster(REF).ref == REF
    assert monotonic() - begun >= 1  # its Retry-After


def test_object_that_is_not_there_is_not_found(api: KubeApi) -> None:
    with pytest.raises(NotFound, match='"nobody" not found'):
        api.cluster(ClusterRef(REF.namespace, "nobody", EDB))


@pytest.mark.parametrize("action", [Refuse(500), Refuse(503), Drop()])
def test_short_trouble_is_sat_out(api: KubeApi, server: ApiServer, action: Any) -> None:
    server.faults.append(Fault(of("clusters"), action, 3))
    assert api.cluster(REF).ref == REF
    assert [request.verb for request in server.requests] == ["get"] * 4


def test_lasting_trouble_is_a_failure(api: KubeApi, server: ApiServer) -> None:
    server.faults.append(Fault(of("clusters"), Drop(), FOREVER))
    with pytest.raises(ApiFailed, match="could not read Cluster prod/pg") as failed:
        api.cluster(REF)
    assert "can be reached" in failed.value.remedy


def test_server_that_is_away_is_a_failure(api: KubeApi, server: ApiServer) -> None:
    server.stop()
    with pytest.raises(ApiFailed, match="could not list Clusters of namespace prod"):
        api.clusters(REF.namespace, EDB)


# ---- snapshot classes


def classes(store: Store, provisioner: str, driver: str) -> None:
    storage = {"metadata": {"name": "fast"}, "provisioner": provisioner}
    store.create(STORAGE_CLASSES, storage)
    kind = VOLUME_SNAPSHOT_CLASSES
    store.create(
        kind,
        {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": {"name": "x"}, "driver": driver},
    )


def test_volume_whose_driver_takes_snapshots_can_be_seen(api: KubeApi, store: Store) -> None:
    classes(store, "csi", "csi")
    assert api.without_snapshot_class(api.world(REF).volumes) == ()


def test_volume_whose_driver_takes_none_cannot(api: KubeApi, store: Store) -> None:
    classes(store, "local", "csi")
    assert api.without_snapshot_class(api.world(REF).volumes) == ("pg-1", "pg-2", "pg-3")


def test_no_volume_can_be_seen_without_the_type(api: KubeApi, server: ApiServer, store: Store) -> None:
    classes(store, "csi", "csi")
    server.faults.append(Fault(of("volumesnapshotclasses"), Refuse(404), FOREVER))
    assert len(api.without_snapshot_class(api.world(REF).volumes)) == 3


def test_class_of_a_volume_may_be_gone(api: KubeApi) -> None:
    volume = replace(api.world(REF).volumes[0], storage_class="", created=NOW)
    assert api.without_snapshot_class([volume]) == ("pg-1",)
