"""What the watchdog follows: one list, then watches that go on from where they were."""

from collections.abc import Iterator, Sequence
from threading import Timer

import pytest

from kanfunc.domain.errors import NotFound, WatchBroken
from kanfunc.domain.flavour import EDB, Flavour
from kanfunc.domain.world import Change, Cluster, ClusterRef
from kanfunc.gateways import fleet as fleet_gateway
from kanfunc.gateways.fleet import KubeFleet
from tests.builders import REF, claim_manifest, cluster_manifest
from tests.gateways.conftest import put
from tests.lab.apiserver import EDB_CLUSTERS, NAMESPACES, PODS, PVCS, ApiServer, Store

CLUSTER = (EDB_CLUSTERS, REF.namespace, REF.name)


@pytest.fixture
def fleet(configuration: object) -> KubeFleet:
    return KubeFleet(configuration)  # type: ignore[arg-type]  # the client has no types here


def move(store: Store, target: str) -> None:
    store.update(*CLUSTER, lambda there: there["status"].update(targetPrimary=target), status=True)


def targets(changes: Sequence[Change]) -> list[str]:
    return [change.cluster.target_primary for change in changes if isinstance(change.cluster, Cluster)]


def test_lists_clusters_of_all_namespaces_once_and_then_follows(
    fleet: KubeFleet, store: Store, server: ApiServer
) -> None:
    store.create(NAMESPACES, {"metadata": {"name": "elsewhere"}})
    other = cluster_manifest({})
    other["metadata"] |= {"namespace": "elsewhere", "uid": "another"}
    put(store, EDB_CLUSTERS, other)
    changes = fleet.clusters(EDB, None)
    assert {change.ref for change in next(changes)} == {REF, ClusterRef("elsewhere", REF.name, EDB)}
    for target in ("pg-2", "pg-3"):
        move(store, target)
        assert targets(next(changes)) == [target]
    store.delete(*CLUSTER)
    assert next(changes) == [Change(REF, None)]
    assert [request.verb for request in server.requests if request.plural == "clusters"] == ["list", "watch"]


def test_only_the_namespace_that_was_asked_for(fleet: KubeFleet) -> None:
    assert [change.ref for change in next(fleet.clusters(EDB, REF.namespace))] == [REF]
    assert next(fleet.clusters(EDB, "elsewhere")) == []


def test_goes_on_without_a_list_when_a_watch_ends_in_time(
    fleet: KubeFleet, store: Store, server: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fleet_gateway, "WATCH_SECONDS", 1)
    changes = fleet.clusters(EDB, None)
    next(changes)
    later = Timer(1.5, move, (store, "pg-2"))
    later.start()
    assert targets(next(changes)) == ["pg-2"]
    assert [request.verb for request in server.requests] == ["list", "watch", "watch"]


def test_cut_watch_is_broken(fleet: KubeFleet, store: Store, server: ApiServer) -> None:
    changes = fleet.clusters(EDB, None)
    next(changes)
    move(store, "pg-2")
    next(changes)
    server.cut_watches()
    with pytest.raises(WatchBroken):
        next(changes)


def test_position_that_the_server_has_forgotten_is_broken(fleet: KubeFleet, store: Store) -> None:
    changes = fleet.clusters(EDB, None)
    next(changes)
    move(store, "pg-2")
    store.expire_history()
    with pytest.raises(WatchBroken):
        next(changes)


@pytest.mark.parametrize("kind", ["pods", "volumes"])
def test_pods_and_volumes_tell_whose_they_are(fleet: KubeFleet, store: Store, kind: str) -> None:
    changes: Iterator[Sequence[Change]] = getattr(fleet, kind)(EDB, None)
    assert next(changes) == [Change(REF)]
    if kind == "pods":
        store.delete(PODS, REF.namespace, "pg-2")
    else:
        put(store, PVCS, claim_manifest("pg-9", "pg-9"))
    assert next(changes) == [Change(REF)]


def test_unknown_operator_is_not_found(fleet: KubeFleet) -> None:
    unknown = Flavour(EDB.name, "none", "unknown.example", "unknown.example", has_adapter=True)
    with pytest.raises(NotFound):
        next(fleet.clusters(unknown, None))


def test_a_long_list_comes_by_pages_and_is_followed_from_where_it_began(
    fleet: KubeFleet, store: Store, server: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fleet_gateway, "_PAGE", 2)
    names = [f"more-{number}" for number in range(4)]
    for name in names:
        other = cluster_manifest({})
        other["metadata"] |= {"name": name, "uid": name}
        put(store, EDB_CLUSTERS, other)
    changes = fleet.clusters(EDB, None)
    assert [change.ref.name for change in next(changes)] == [*names, REF.name]
    move(store, "pg-2")
    assert targets(next(changes)) == ["pg-2"]
    assert [request.verb for request in server.requests] == ["list", "list", "list", "watch"]
