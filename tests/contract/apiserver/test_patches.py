"""PATCH: the one way in which the product writes to a cluster."""

from typing import Any
from uuid import uuid4

import pytest

from tests.contract.apiserver.helpers import MERGE_PATCH, STRATEGIC_PATCH, Clusters, annotations, refused


def test_merge_patch_sets_and_null_removes(clusters: Clusters) -> None:
    clusters.create(annotations={"keep": "1", "drop": "1"})
    patched = clusters.merge({"metadata": {"annotations": {"drop": None, "fence": '["pg-2"]'}}})
    assert annotations(patched) == {"keep": "1", "fence": '["pg-2"]'}
    assert patched["spec"] == {"instances": 3}


def test_merge_patch_with_stale_version_conflicts(clusters: Clusters) -> None:
    stale = clusters.create()["metadata"]["resourceVersion"]
    clusters.merge({"metadata": {"annotations": {"a": "1"}}})
    with refused(409, "Conflict"):
        clusters.merge({"metadata": {"resourceVersion": stale, "annotations": {"a": "2"}}})


def test_patch_of_another_uid_is_invalid(clusters: Clusters) -> None:
    clusters.create()
    with refused(422, "Invalid"):
        clusters.merge({"metadata": {"uid": str(uuid4())}})


def test_patch_that_changes_nothing_keeps_the_version(clusters: Clusters) -> None:
    created = clusters.create(annotations={"a": "1"})
    patched = clusters.merge({"metadata": {"annotations": {"a": "1", "b": None}}})
    assert patched["metadata"]["resourceVersion"] == created["metadata"]["resourceVersion"]


def test_json_patch_tests_and_writes(clusters: Clusters) -> None:
    clusters.create(annotations={"a": "1"})
    patched = clusters.json_patch(
        {"op": "test", "path": "/spec/instances", "value": 3},
        {"op": "add", "path": "/metadata/annotations/example.com~1b", "value": "2"},
        {"op": "remove", "path": "/metadata/annotations/a"},
    )
    assert annotations(patched) == {"example.com/b": "2"}


def test_json_patch_is_all_or_nothing(clusters: Clusters) -> None:
    clusters.create(annotations={"a": "1"})
    with refused(422, "Invalid"):
        clusters.json_patch(
            {"op": "replace", "path": "/metadata/annotations/a", "value": "2"},
            {"op": "test", "path": "/spec/instances", "value": 99},
        )
    assert annotations(clusters.get()) == {"a": "1"}


@pytest.mark.parametrize(
    ("expected", "holds"),
    [
        ({"a": "1", "b": "2"}, True),
        ({"b": "2", "a": "1"}, True),
        ({"a": "1"}, False),
        ({"a": "1", "b": "2", "c": "3"}, False),
        ({"a": "1", "b": "3"}, False),
    ],
)
def test_json_patch_test_of_allannotations(
    clusters: Clusters, expected: dict[str, str], *, holds: bool
) -> None:
    clusters.create(annotations={"a": "1", "b": "2"})
    operations = (
        {"op": "test", "path": "/metadata/annotations", "value": expected},
        {"op": "add", "path": "/metadata/annotations/done", "value": "yes"},
    )
    if holds:
        assert annotations(clusters.json_patch(*operations))["done"] == "yes"
    else:
        with refused(422, "Invalid"):
            clusters.json_patch(*operations)


def test_json_patch_test_of_the_uid(clusters: Clusters) -> None:
    uid = clusters.create(annotations={"a": "1"})["metadata"]["uid"]
    edit = {"op": "add", "path": "/metadata/annotations/a", "value": "2"}
    clusters.json_patch({"op": "test", "path": "/metadata/uid", "value": uid}, edit)
    clusters.delete()
    clusters.create(annotations={"a": "1"})
    with refused(422, "Invalid"):
        clusters.json_patch({"op": "test", "path": "/metadata/uid", "value": uid}, edit)


def test_json_patch_test_for_null_means_absent(clusters: Clusters) -> None:
    clusters.create(annotations={"a": "1"})
    absent = {"op": "test", "path": "/metadata/annotations/b", "value": None}
    clusters.json_patch(absent, {"op": "add", "path": "/metadata/annotations/b", "value": "2"})
    with refused(422, "Invalid"):
        clusters.json_patch(absent)


def test_json_patch_replace_also_adds(clusters: Clusters) -> None:
    clusters.create(annotations={"a": "1"})
    patched = clusters.json_patch({"op": "replace", "path": "/metadata/annotations/b", "value": "2"})
    assert annotations(patched) == {"a": "1", "b": "2"}


@pytest.mark.parametrize("kind", ["add", "remove", "replace", "test"])
def test_json_patch_below_a_missing_parent_is_invalid(clusters: Clusters, kind: str) -> None:
    clusters.create()
    with refused(422, "Invalid"):
        clusters.json_patch({"op": kind, "path": "/metadata/annotations/a", "value": None})


def test_json_patch_remove_of_a_missing_member_is_invalid(clusters: Clusters) -> None:
    clusters.create(annotations={"a": "1"})
    with refused(422, "Invalid"):
        clusters.json_patch({"op": "remove", "path": "/metadata/annotations/b"})


def test_operations_without_their_content_type_are_refused(clusters: Clusters) -> None:
    clusters.create()
    operations = [{"op": "test", "path": "/spec/instances", "value": 3}]
    with refused(400, "BadRequest"):  # the client sends a list to the untyped API as a merge patch
        clusters.api.patch_namespaced_custom_object(*clusters.where, "pg", operations)


def test_custom_resource_takes_no_strategic_merge_patch(clusters: Clusters) -> None:
    clusters.create()
    with refused(415, "UnsupportedMediaType"):
        clusters.api.patch_namespaced_custom_object(*clusters.where, "pg", {}, _content_type=STRATEGIC_PATCH)


@pytest.mark.parametrize("content_type", [STRATEGIC_PATCH, MERGE_PATCH])
def test_built_in_type_takes_both_merge_patches(pods: Any, namespace: str, content_type: str) -> None:
    body = {"metadata": {"labels": {"backup": "now"}}}
    patched = pods.patch_namespaced_pod("pg-1", namespace, body, _content_type=content_type)
    assert patched.metadata.labels["backup"] == "now"
    assert patched.metadata.labels["role"] == "primary"
