"""Changes as they happen."""

from itertools import islice
from typing import Any

import pytest
from kubernetes.client import ApiException

from tests.contract.apiserver.helpers import Clusters, annotations, watch


def test_watch_resumes_after_the_list(clusters: Clusters) -> None:
    clusters.create()
    version = clusters.version()
    clusters.merge({"metadata": {"annotations": {"a": "1"}}})
    clusters.delete()
    events = list(islice(clusters.watch(resource_version=version), 2))
    assert [event["type"] for event in events] == ["MODIFIED", "DELETED"]
    assert annotations(events[0]["object"]) == {"a": "1"}


def test_watch_begins_with_what_is_there_and_goes_on(clusters: Clusters) -> None:
    clusters.create()
    events = clusters.watch(field_selector="metadata.name=pg")
    assert next(events)["type"] == "ADDED"
    clusters.create("other")
    clusters.merge({"spec": {"instances": 1}})
    assert next(events)["object"]["spec"] == {"instances": 1}
    clusters.delete()
    assert next(events)["type"] == "DELETED"


def test_watch_sees_objects_enter_and_leave_its_selector(clusters: Clusters) -> None:
    clusters.create()
    version = clusters.version()
    clusters.merge({"metadata": {"labels": {"elected": "true"}}})
    clusters.merge({"metadata": {"labels": {"elected": None}}})
    events = islice(clusters.watch(resource_version=version, label_selector="elected=true"), 2)
    assert [event["type"] for event in events] == ["ADDED", "DELETED"]


def test_watch_ends_in_time(clusters: Clusters) -> None:
    clusters.create()
    assert [event["type"] for event in clusters.watch(timeout_seconds=1)] == ["ADDED"]


def test_watch_sends_a_bookmark_before_its_end(clusters: Clusters) -> None:
    version = clusters.version()
    options = {"resource_version": version, "allow_watch_bookmarks": True, "timeout_seconds": 3}
    # a real server promises none: it was seen to miss the end of a short watch
    bookmark = next(event for _ in range(3) for event in clusters.watch(**options))
    assert bookmark["type"] == "BOOKMARK"
    assert int(bookmark["object"]["metadata"]["resourceVersion"]) >= int(version)


def test_watch_from_too_old_a_version_is_gone(clusters: Clusters) -> None:
    with pytest.raises(ApiException) as caught:
        next(clusters.watch(resource_version="1"))
    assert caught.value.status == 410


def test_typed_watch(pods: Any, namespace: str) -> None:
    events = watch.Watch().stream(pods.list_namespaced_pod, namespace, timeout_seconds=10)
    assert [event["object"].metadata.name for event in islice(events, 3)] == ["pg-1", "pg-2", "pg-3"]
