from typing import Any

import pytest

from kanfunc.domain.errors import Conflict, NotFound
from kanfunc.gateways.kube import KubeApi
from tests.builders import ADDONS, FENCED, REF, healthy
from tests.builders import cluster as read_cluster
from tests.gateways.conftest import FOREVER, of, put
from tests.lab.apiserver import EDB_CLUSTERS, EVENTS, ApiServer, Drop, Fault, LoseAnswer, Refuse, Store

REF_KEY = (REF.namespace, REF.name)


def stored(store: Store) -> dict[str, str]:
    annotations: dict[str, str] = store.get(EDB_CLUSTERS, *REF_KEY)["metadata"].get("annotations") or {}
    return annotations


def meddle(store: Store, key: str, value: str) -> None:
    """Somebody else writes an annotation."""
    store.update(EDB_CLUSTERS, *REF_KEY, lambda there: there["metadata"]["annotations"].update({key: value}))


def test_annotations_are_set_replaced_and_removed(api: KubeApi, store: Store) -> None:
    api.annotate(api.cluster(REF), {FENCED: '["pg-2"]', "x": "1"})
    api.annotate(api.cluster(REF), {FENCED: None, "x": "2", "absent": None})
    assert stored(store) == {ADDONS: '["kasten"]', "x": "2"}


@pytest.mark.parametrize("key", ["a/b", "a~b", "a~1b", "a/~0~1/b", "kanfunc.io/fence"])
def test_keys_are_taken_as_they_are(api: KubeApi, store: Store, key: str) -> None:
    api.annotate(api.cluster(REF), {key: '{"json": "with / and ~ and é"}'})
    assert stored(store)[key] == '{"json": "with / and ~ and é"}'
    api.annotate(api.cluster(REF), {key: None})
    assert key not in stored(store)


@pytest.mark.parametrize("key", [FENCED, ADDONS, "anything"])
def test_any_annotation_that_changed_is_a_conflict(api: KubeApi, store: Store, key: str) -> None:
    read = api.cluster(REF)
    meddle(store, key, "changed")
    with pytest.raises(Conflict):
        api.annotate(read, {"ours": "1"})
    assert "ours" not in stored(store)


def test_another_incarnation_is_a_conflict(api: KubeApi, store: Store) -> None:
    read = api.cluster(REF)
    store.delete(EDB_CLUSTERS, *REF_KEY)
    put(store, EDB_CLUSTERS, healthy().cluster)
    with pytest.raises(Conflict):
        api.annotate(read, {"ours": "1"})
    assert "ours" not in stored(store)


def test_change_of_the_status_is_no_conflict(api: KubeApi, store: Store) -> None:
    read = api.cluster(REF)
    store.update(EDB_CLUSTERS, *REF_KEY, lambda there: there["status"].update(phase="x"), status=True)
    api.annotate(read, {"ours": "1"})
    assert stored(store)["ours"] == "1"


def test_write_whose_answer_was_lost_is_not_done_twice(api: KubeApi, server: ApiServer, store: Store) -> None:
    server.faults.append(Fault(of("clusters", "patch"), LoseAnswer()))
    with pytest.raises(Conflict):
        api.annotate(api.cluster(REF), {"ours": "1"})
    assert stored(store)["ours"] == "1"


def test_write_to_what_is_gone_is_not_found(api: KubeApi, store: Store) -> None:
    read = api.cluster(REF)
    store.delete(EDB_CLUSTERS, *REF_KEY)
    with pytest.raises(NotFound):
        api.annotate(read, {"ours": "1"})


# ---- events


@pytest.mark.parametrize(("warning", "kind"), [(False, "Normal"), (True, "Warning")])
def test_event_stands_on_the_cluster(api: KubeApi, store: Store, *, warning: bool, kind: str) -> None:
    cluster = api.cluster(REF)
    api.announce(cluster, "Fenced", "m" * 5000, warning=warning)
    (event,) = store.list(EVENTS, REF.namespace)
    assert (event["type"], event["reason"], event["message"]) == (kind, "Fenced", "m" * 1000)
    assert event["source"]["component"] == "kanfunc"
    assert event["involvedObject"] == {
        "apiVersion": "postgresql.k8s.enterprisedb.io/v1",
        "kind": "Cluster",
        "name": "pg",
        "namespace": "prod",
        "uid": cluster.uid,
    }


@pytest.mark.parametrize("action", [Refuse(403), Refuse(404), Refuse(500), Drop()])
def test_event_that_cannot_be_written_is_no_failure(api: KubeApi, server: ApiServer, action: Any) -> None:
    server.faults.append(Fault(of("events"), action, FOREVER))
    api.announce(api.cluster(REF), "Fenced", "message")


def test_event_while_the_server_is_away_is_no_failure(api: KubeApi, server: ApiServer) -> None:
    server.stop()
    api.announce(read_cluster(), "Fenced", "message")
