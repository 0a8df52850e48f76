"""Finding objects, and finding out what there is."""

from typing import Any

import pytest

from tests.contract.apiserver.helpers import CLUSTERS, Clusters, client, create_pod, pod_names, refused


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ("k8s.enterprisedb.io/cluster=pg,role!=primary", ["pg-2", "pg-3"]),
        ("role in (primary, designated)", ["pg-1"]),
        ("role notin (primary),role", ["pg-2", "pg-3"]),
        ("!role", []),
        ("role==primary", ["pg-1"]),
        ("missing!=x,role=primary", ["pg-1"]),
    ],
)
def test_label_selector(pods: Any, namespace: str, selector: str, expected: list[str]) -> None:
    found = pods.list_namespaced_pod(namespace, label_selector=selector).items
    assert [pod.metadata.name for pod in found] == expected


def test_list_is_of_one_namespace_or_of_all(core: Any, namespace: str) -> None:
    create_pod(core, namespace, "here")
    assert pod_names(core, f"{namespace}-other") == []
    everywhere = core.list_pod_for_all_namespaces().items
    assert (namespace, "here") in {(pod.metadata.namespace, pod.metadata.name) for pod in everywhere}


def test_field_selector(pods: Any, namespace: str) -> None:
    found = pods.list_namespaced_pod(namespace, field_selector="metadata.name=pg-2").items
    assert [pod.metadata.name for pod in found] == ["pg-2"]
    elsewhere = pods.list_pod_for_all_namespaces(field_selector=f"metadata.namespace!={namespace}").items
    assert namespace not in {pod.metadata.namespace for pod in elsewhere}


def test_a_list_by_pages_is_of_one_moment(pods: Any, namespace: str) -> None:
    first = pods.list_namespaced_pod(namespace, limit=2)
    assert [pod.metadata.name for pod in first.items] == ["pg-1", "pg-2"]
    pods.delete_namespaced_pod("pg-3", namespace, grace_period_seconds=0)
    last = pods.list_namespaced_pod(namespace, limit=2, _continue=first.metadata._continue)
    assert [pod.metadata.name for pod in last.items] == ["pg-3"]
    assert last.metadata.resource_version == first.metadata.resource_version
    assert not last.metadata._continue


def test_selectors_of_custom_resources(clusters: Clusters) -> None:
    clusters.create("one", labels={"app": "x"})
    clusters.create("two")
    assert clusters.names(label_selector="app=x") == ["one"]
    assert clusters.names(field_selector="metadata.name=two") == ["two"]


def test_custom_resource_has_no_other_field_selector(clusters: Clusters) -> None:
    with refused(400, "BadRequest"):
        clusters.names(field_selector="spec.instances=3")


def test_selector_nobody_can_read_is_refused(pods: Any, namespace: str) -> None:
    with refused(400, "BadRequest"):
        pods.list_namespaced_pod(namespace, label_selector="role in primary")


def test_discovery(api: Any) -> None:
    assert client.VersionApi(api).get_code().major == "1"
    assert "postgresql.k8s.enterprisedb.io" in {g.name for g in client.ApisApi(api).get_api_versions().groups}
    resources = client.CustomObjectsApi(api).get_api_resources(*CLUSTERS).resources
    assert {"clusters", "clusters/status", "backups"} <= {resource.name for resource in resources}
    core = {resource.name for resource in client.CoreV1Api(api).get_api_resources().resources}
    assert {"pods", "pods/exec", "secrets"} <= core
