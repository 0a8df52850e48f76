"""Kasten's filters, bindings and transforms, by the objects that the chart and the examples hold."""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

import pytest
import yaml

from tests.chart.helm import CHART, of_kind, rendered
from tests.cluster.application import EXAMPLES
from tests.cluster.kasten.rules import bound, passes
from tests.lab.apiserver import (
    CNPG_CLUSTERS,
    DEPLOYMENTS,
    EDB_CLUSTERS,
    LEASES,
    PODS,
    PVCS,
    Manifest,
    Resource,
)
from tests.lab.kasten.actions import ActionFailed
from tests.lab.kasten.transforms import transformed

ACTION = yaml.safe_load((EXAMPLES / "restore.yaml").read_text())["spec"]
POLICY = yaml.safe_load((EXAMPLES / "policy-binding.yaml").read_text())["spec"]
BACKUP = POLICY["actions"][0]["backupParameters"]
EXCLUDED = {"kasten-enterprisedb.io/excluded": "true"}


def named(labels: Mapping[str, str] | None = None, spec: Manifest | None = None) -> Manifest:
    return {"metadata": {"name": "pg", "labels": dict(labels or {})}, "spec": spec or {}}


def test_the_policy_leaves_what_is_not_excluded() -> None:
    assert passes(BACKUP["filters"], PVCS, named())
    assert not passes(BACKUP["filters"], PVCS, named(EXCLUDED))


def test_the_restore_brings_volumes_and_clusters_and_no_pods() -> None:
    admitted = [
        each for each in (PVCS, CNPG_CLUSTERS, PODS, LEASES) if passes(ACTION["filters"], each, named())
    ]
    assert admitted == [PVCS, CNPG_CLUSTERS]


def test_a_filter_that_is_spelled_wrong_is_refused() -> None:
    with pytest.raises(ValueError, match="exludeResources"):
        passes({"exludeResources": []}, PVCS, named())
    with pytest.raises(ValueError, match="labels"):
        passes({"excludeResources": [{"labels": EXCLUDED}]}, PVCS, named())


WORKERS = {"max_logical_replication_workers": "0"}
POSTGRESQL: list[tuple[Manifest, Manifest]] = [
    ({}, {"parameters": WORKERS}),
    ({"postgresql": {}}, {"parameters": WORKERS}),
    ({"postgresql": {"pg_hba": ["x"]}}, {"pg_hba": ["x"], "parameters": WORKERS}),
    ({"postgresql": {"parameters": {}}}, {"parameters": WORKERS}),
    (
        {"postgresql": {"pg_hba": ["x"], "parameters": {"max_connections": "9"}}},
        {"pg_hba": ["x"], "parameters": WORKERS | {"max_connections": "9"}},
    ),
    ({"postgresql": {"parameters": {"max_logical_replication_workers": "8"}}}, {"parameters": WORKERS}),
]
ARCHIVING: list[Manifest] = [
    {},
    {"backup": {"barmanObjectStore": {}}},
    {"plugins": [{"name": "barman-cloud.cloudnative-pg.io", "isWALArchiver": True}]},
    {"backup": {"volumeSnapshot": {}}, "plugins": []},
]


@pytest.mark.parametrize("clusters", [EDB_CLUSTERS, CNPG_CLUSTERS], ids=lambda each: each.group)
@pytest.mark.parametrize("archiving", ARCHIVING)
@pytest.mark.parametrize(("postgresql", "expected"), POSTGRESQL)
def test_transforms_take_away_whatever_reaches_for_the_source(
    clusters: Resource, archiving: Manifest, postgresql: Manifest, expected: Manifest
) -> None:
    """Of every shape that a Cluster may have, and nothing else of it."""
    captured = named(spec={"instances": 3, **archiving, **postgresql})
    before = deepcopy(captured)
    restored = transformed(ACTION["transforms"], clusters, captured)
    assert restored["spec"] == {"instances": 3, "postgresql": expected}
    assert restored["metadata"] == captured["metadata"]
    assert captured == before, "the captured manifest is left alone"


def test_transforms_are_for_clusters_alone() -> None:
    other = named(spec={"backup": {}, "plugins": []})
    stranger = Resource("cluster.x-k8s.io", "v1beta1", "clusters", "Cluster")
    for resource in (PVCS, DEPLOYMENTS, stranger):
        assert transformed(ACTION["transforms"], resource, other) == other


def test_the_transform_set_for_the_dashboard_is_the_example() -> None:
    kept = yaml.safe_load((EXAMPLES / "transforms.yaml").read_text())
    assert kept["spec"]["transforms"] == ACTION["transforms"]


def test_a_failed_test_skips_the_rest_of_its_document_and_other_failures_fail_the_restore() -> None:
    guarded = {"subject": {}, "json": [{"op": "test", "path": "/spec/x"}, REMOVE]}
    found = transformed([guarded, {"subject": {}, "json": [ADD]}], PVCS, named())
    assert found["spec"] == {"y": 1}
    with pytest.raises(ActionFailed, match="/spec/x"):
        transformed([{"subject": {}, "json": [REMOVE]}], PVCS, named())
    for unknown in (REMOVE | {"regex": "x"}, ADD | {"from": "/spec"}):
        with pytest.raises(ValueError, match="not imitated"):
            transformed([{"subject": {}, "json": [unknown]}], PVCS, named())


REMOVE = {"op": "remove", "path": "/spec/x"}
ADD = {"op": "add", "path": "/spec/y", "value": 1}


@pytest.mark.parametrize("group", [EDB_CLUSTERS.group, CNPG_CLUSTERS.group])
@pytest.mark.parametrize(
    "plural", ["subscriptions", "publications", "databases", "scheduledbackups", "backups", "poolers"]
)
def test_what_would_make_the_operator_act_for_the_copy_is_not_restored(group: str, plural: str) -> None:
    """A Subscription of the operator would subscribe again, a ScheduledBackup back the copy up."""
    assert not passes(ACTION["filters"], Resource(group, "v1", plural, "Any"), named())


def test_the_chart_binds_clusters_of_its_operators_alone() -> None:
    bindings = of_kind(rendered(CHART / "ci" / "default-values.yaml", flavours=["edb"]), "BlueprintBinding")
    assert bound(bindings, EDB_CLUSTERS, named())
    assert not bound(bindings, CNPG_CLUSTERS, named())
    assert not bound(bindings, EDB_CLUSTERS, named({"icpdsupport/addOnId": "postgres"}))


def test_the_oldest_of_several_bindings_wins() -> None:
    def binding(name: str, created: str, *requirements: Any) -> Manifest:
        metadata = {"name": name, "creationTimestamp": created}
        return {"metadata": metadata, "spec": {"resources": {"matchAll": list(requirements)}}}

    mine = {"labels": {"key": "team", "operator": "In", "values": ["a"]}}
    listed = {"type": {"operator": "In", "values": [{"group": CNPG_CLUSTERS.group, "resource": "clusters"}]}}
    bindings = [
        binding("newer", "2026-02-01T00:00:00Z", listed),
        binding("older", "2026-01-01T00:00:00Z", listed, mine),
    ]

    def name(**labels: str) -> str:
        found = bound(bindings, CNPG_CLUSTERS, named(labels))
        assert found
        return str(found["metadata"]["name"])

    assert name() == "newer"
    assert name(team="a") == "older"
    with pytest.raises(ValueError, match="without any requirement"):
        bound([binding("none", "2026-01-01T00:00:00Z")], PVCS, named())
