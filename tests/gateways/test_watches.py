from time import monotonic

import pytest

from kanfunc.domain.errors import ApiFailed, NotFound, WatchBroken
from kanfunc.gateways.kube import KubeApi
from tests.builders import REF, pod_manifest, snapshot_manifest
from tests.gateways.conftest import FOREVER, of, put
from tests.lab.apiserver import (
    EDB_CLUSTERS,
    PODS,
    VOLUME_SNAPSHOTS,
    ApiServer,
    Drop,
    Fault,
    Refuse,
    Store,
)

CLUSTER, POD = (EDB_CLUSTERS, REF.namespace, REF.name), (PODS, REF.namespace, "pg-2")


def change(store: Store, target: str) -> None:
    """The primary moves."""
    store.update(*CLUSTER, lambda there: there["status"].update(targetPrimary=target), status=True)


def test_begins_with_what_is_and_goes_on_with_every_change(api: KubeApi, store: Store) -> None:
    watch = api.watch_cluster(REF, 30)
    assert next(watch).target_primary == "pg-1"
    change(store, "pg-3")
    change(store, "pg-2")
    assert [next(watch).target_primary for _ in range(2)] == ["pg-3", "pg-2"]


def test_changes_of_others_are_not_seen(api: KubeApi, store: Store) -> None:
    watch = api.watch_instance(REF, "pg-2", 30)
    assert next(watch) is not None
    store.update(PODS, REF.namespace, "pg-3", lambda pod: pod["metadata"]["labels"].update(x="y"))
    store.delete(*POD)
    assert next(watch) is None


def test_pod_may_come_go_and_come_back(api: KubeApi, store: Store) -> None:
    store.delete(*POD)
    watch = api.watch_instance(REF, "pg-2", 30)
    assert next(watch) is None
    put(store, PODS, pod_manifest("pg-2"))
    assert [instance is not None and instance.ready for instance in (next(watch), next(watch))] == [
        False,
        True,
    ]


def test_cluster_that_is_deleted_meanwhile_is_not_found(api: KubeApi, store: Store) -> None:
    watch = api.watch_cluster(REF, 30)
    next(watch)
    store.delete(*CLUSTER)
    with pytest.raises(NotFound, match="Cluster prod/pg is gone"):
        next(watch)


def test_snapshots_are_seen_being_cut(api: KubeApi, store: Store) -> None:
    watch = api.watch_snapshots(REF.namespace, 30)
    assert next(watch) == ()
    put(store, VOLUME_SNAPSHOTS, snapshot_manifest("data", "pg-2"))
    assert [[(snapshot.name, snapshot.cut) for snapshot in next(watch)] for _ in range(2)] == [
        [("data", False)],
        [("data", True)],
    ]
    store.delete(VOLUME_SNAPSHOTS, REF.namespace, "data")
    assert next(watch) == ()


def test_ends_after_its_time(api: KubeApi) -> None:
    begun = monotonic()
    assert len(list(api.watch_cluster(REF, 1))) == 1
    assert 0.9 < monotonic() - begun < 10


def test_cut_connection_is_told(api: KubeApi, server: ApiServer, store: Store) -> None:
    watch = api.watch_cluster(REF, 30)
    next(watch)
    change(store, "pg-3")
    next(watch)
    assert server.cut_watches() == 1
    with pytest.raises(WatchBroken):
        next(watch)


def test_position_that_the_server_has_forgotten_is_told(api: KubeApi, store: Store) -> None:
    watch = api.watch_cluster(REF, 30)
    next(watch)
    change(store, "pg-3")
    store.expire_history()
    with pytest.raises(WatchBroken):
        next(watch)


@pytest.mark.parametrize("code", [403, 410, 500])
def test_watch_that_is_refused_is_told(api: KubeApi, server: ApiServer, code: int) -> None:
    server.faults.append(Fault(of("clusters", "watch"), Refuse(code), FOREVER))
    watch = api.watch_cluster(REF, 30)
    next(watch)
    with pytest.raises(WatchBroken):
        next(watch)


def test_watch_whose_connections_are_dropped_is_told(api: KubeApi, server: ApiServer) -> None:
    server.faults.append(Fault(of("pods", "watch"), Drop(), FOREVER))
    watch = api.watch_instance(REF, "pg-2", 30)
    next(watch)
    with pytest.raises(WatchBroken):
        next(watch)


def test_list_that_is_refused_is_a_failure(api: KubeApi, server: ApiServer) -> None:
    server.faults.append(Fault(of("clusters", "list"), Refuse(403)))
    with pytest.raises(ApiFailed, match="could not list: 403"):
        next(api.watch_cluster(REF, 30))


def test_nothing_is_left_open_when_nobody_looks_any_more(
    api: KubeApi, server: ApiServer, store: Store
) -> None:
    watch = api.watch_cluster(REF, 30)
    next(watch)
    change(store, "pg-3")
    next(watch)
    assert open_watches(server) == 1
    watch.close()  # type: ignore[attr-defined]  # a generator, though the port says Iterator
    deadline = monotonic() + 10
    while open_watches(server) and monotonic() < deadline:
        change(store, "pg-2")  # a server notices that its client has left when it writes, if not before
        change(store, "pg-3")
    assert open_watches(server) == 0


def open_watches(server: ApiServer) -> int:
    assert server._running is not None
    return len(server._running.watches._open)
