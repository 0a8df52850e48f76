"""Objects come, change and go."""

from email.utils import parsedate_to_datetime
from typing import Any
from uuid import uuid4

import pytest
from kubernetes.client import ApiException

from tests.contract.apiserver.helpers import (
    API_VERSION,
    CLUSTERS,
    KIND,
    MERGE_PATCH,
    TYPE,
    Clusters,
    client,
    create_pod,
    eventually,
    pod_names,
    refused,
)
from tests.lab.apiserver import Manifest


def test_new_object_gets_identity_version_and_whole_seconds(clusters: Clusters) -> None:
    metadata = clusters.create()["metadata"]
    assert metadata["uid"]
    assert metadata["resourceVersion"].isdecimal()
    assert metadata["generation"] == 1
    assert len(metadata["creationTimestamp"]) == len("2026-01-01T00:00:00Z")


def test_create_ignores_uid_and_status_of_the_client(clusters: Clusters) -> None:
    body = TYPE | {"metadata": {"name": "pg", "uid": "mine"}, "spec": {}, "status": {"phase": "mine"}}
    created = clusters.api.create_namespaced_custom_object(*clusters.where, body)
    assert created["metadata"]["uid"] != "mine"
    assert "status" not in created


def test_create_existing_is_refused(clusters: Clusters) -> None:
    clusters.create()
    with refused(409, "AlreadyExists"):
        clusters.create()


def test_create_in_unknown_namespace_is_refused(api: Any) -> None:
    with refused(404, "NotFound"):
        Clusters(api, "nowhere").create()


def test_create_with_annotation_that_is_no_string_is_refused(clusters: Clusters) -> None:
    with refused(400, "BadRequest"):
        clusters.create(annotations={"enabled": True})


def test_get_missing_is_not_found(clusters: Clusters) -> None:
    with refused(404, "NotFound"):
        clusters.get("nobody")


def test_unknown_resource_is_not_found(clusters: Clusters, namespace: str) -> None:
    with pytest.raises(ApiException) as caught:
        clusters.api.list_namespaced_custom_object(*CLUSTERS, namespace, "poolers")
    assert caught.value.status == 404  # of an unknown path there is no Status, only text


def test_list_carries_the_version_for_a_watch(clusters: Clusters) -> None:
    created = clusters.create()
    assert clusters.names() == ["pg"]
    assert int(clusters.version()) >= int(created["metadata"]["resourceVersion"])


def test_generate_name(core: Any, namespace: str) -> None:
    reference = client.V1ObjectReference(kind="Cluster", name="pg", namespace=namespace)
    body = client.CoreV1Event(
        metadata=client.V1ObjectMeta(generate_name="kanfunc-"),
        involved_object=reference,
        reason="Fenced",
        message="fenced",
        type="Normal",
    )
    names = {core.create_namespaced_event(namespace, body).metadata.name for _ in range(2)}
    assert len(names) == 2
    assert all(name.startswith("kanfunc-") for name in names)
    by_object = core.list_namespaced_event(namespace, field_selector="involvedObject.name=pg")
    assert {event.metadata.name for event in by_object.items} == names


def test_dry_run_changes_nothing(clusters: Clusters) -> None:
    clusters.api.create_namespaced_custom_object(
        *clusters.where, TYPE | {"metadata": {"name": "pg"}, "spec": {}}, dry_run="All"
    )
    assert clusters.names() == []
    clusters.create()
    clusters.api.patch_namespaced_custom_object(
        *clusters.where, "pg", {"spec": {"instances": 1}}, dry_run="All", _content_type=MERGE_PATCH
    )
    clusters.delete(dry_run="All")
    assert clusters.get()["spec"] == {"instances": 3}


def test_every_answer_carries_the_servers_clock(clusters: Clusters) -> None:
    created = clusters.create()
    _, _, headers = clusters.api.get_namespaced_custom_object_with_http_info(*clusters.where, "pg")
    stamp = parsedate_to_datetime(headers["Date"]).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert stamp >= created["metadata"]["creationTimestamp"]


def test_replace_with_stale_version_conflicts(clusters: Clusters) -> None:
    stale = clusters.create()
    clusters.replace({**stale, "spec": {"instances": 4}})
    with refused(409, "Conflict"):
        clusters.replace({**stale, "spec": {"instances": 5}})
    assert clusters.get()["spec"] == {"instances": 4}


def test_replace_of_another_incarnation_conflicts(clusters: Clusters) -> None:
    created = clusters.create()
    with refused(409, "Conflict"):
        clusters.replace({**created, "metadata": {**created["metadata"], "uid": str(uuid4())}})


def test_replace_of_a_custom_resource_needs_its_version(clusters: Clusters) -> None:
    clusters.create()
    with refused(422, "Invalid"):
        clusters.replace(TYPE | {"metadata": {"name": "pg"}, "spec": {}})


def test_status_is_written_through_its_subresource_only(clusters: Clusters) -> None:
    clusters.create()
    assert "status" not in clusters.merge({"status": {"phase": "claimed"}})
    clusters.api.patch_namespaced_custom_object_status(
        *clusters.where,
        "pg",
        {"status": {"phase": "healthy"}, "spec": {"instances": 1}, "metadata": {"labels": {"a": "b"}}},
        _content_type=MERGE_PATCH,
    )
    after = clusters.api.get_namespaced_custom_object_status(*clusters.where, "pg")
    assert after["status"] == {"phase": "healthy"}
    assert after["spec"] == {"instances": 3}
    assert "labels" not in after["metadata"]


def test_generation_counts_changes_of_the_spec(clusters: Clusters) -> None:
    clusters.create()
    clusters.merge({"metadata": {"annotations": {"a": "1"}}})
    clusters.api.patch_namespaced_custom_object_status(
        *clusters.where, "pg", {"status": {"phase": "healthy"}}, _content_type=MERGE_PATCH
    )
    assert clusters.get()["metadata"]["generation"] == 1
    assert clusters.merge({"spec": {"instances": 4}})["metadata"]["generation"] == 2


def test_lease_is_renewed_by_replace(api: Any, namespace: str) -> None:
    leases = client.CoordinationV1Api(api)
    body = client.V1Lease(
        metadata=client.V1ObjectMeta(name="kanfunc"), spec=client.V1LeaseSpec(holder_identity="one")
    )
    mine, stale = (
        leases.create_namespaced_lease(namespace, body),
        leases.read_namespaced_lease("kanfunc", namespace),
    )
    mine.spec.holder_identity = "two"
    assert leases.replace_namespaced_lease("kanfunc", namespace, mine).spec.holder_identity == "two"
    with refused(409, "Conflict"):
        leases.replace_namespaced_lease("kanfunc", namespace, stale)


def test_deleted_object_is_gone(clusters: Clusters) -> None:
    clusters.create()
    assert clusters.delete()["status"] == "Success"
    with refused(404, "NotFound"):
        clusters.get()


@pytest.mark.parametrize("precondition", ["uid", "resource_version"])
def test_delete_with_wrong_precondition_conflicts(clusters: Clusters, precondition: str) -> None:
    clusters.create()
    options = client.V1DeleteOptions(preconditions=client.V1Preconditions(**{precondition: "1"}))
    with refused(409, "Conflict"):
        clusters.delete(body=options)
    assert clusters.names() == ["pg"]


def test_finalizer_holds_a_deleted_object(clusters: Clusters) -> None:
    clusters.create(finalizers=["example.com/hold"])
    clusters.delete()
    assert clusters.get()["metadata"]["deletionTimestamp"]
    clusters.merge({"metadata": {"finalizers": None}})
    assert clusters.names() == []


def test_namespace_takes_its_objects_along(core: Any, api: Any, namespace: str) -> None:
    doomed = f"{namespace}-doomed"
    core.create_namespace({"metadata": {"name": doomed}})
    core.create_namespaced_secret(doomed, {"metadata": {"name": "ca"}})
    Clusters(api, doomed).create(finalizers=["example.com/hold"])
    core.delete_namespace(doomed)
    assert core.read_namespace(doomed).status.phase == "Terminating"
    with refused(403, "Forbidden"):
        core.create_namespaced_secret(doomed, {"metadata": {"name": "late"}})
    Clusters(api, doomed).merge({"metadata": {"finalizers": None}})
    eventually(lambda: doomed not in {each.metadata.name for each in core.list_namespace().items})
    with refused(404, "NotFound"):
        core.read_namespaced_secret("ca", doomed)


def _owner(manifest: Manifest) -> Any:
    uid, name = manifest["metadata"]["uid"], manifest["metadata"]["name"]
    return client.V1OwnerReference(api_version=API_VERSION, kind=KIND, name=name, uid=uid)


def test_owner_takes_along_what_nobody_else_owns(core: Any, clusters: Clusters, namespace: str) -> None:
    one, two = (_owner(clusters.create(name)) for name in ("one", "two"))
    create_pod(core, namespace, "only", owner_references=[one])
    create_pod(core, namespace, "shared", owner_references=[one, two])
    create_pod(core, namespace, "free")
    clusters.delete("one")
    eventually(lambda: pod_names(core, namespace) == ["free", "shared"])
    clusters.delete("two")
    eventually(lambda: pod_names(core, namespace) == ["free"])
