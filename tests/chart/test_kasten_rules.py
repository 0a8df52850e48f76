"""Kasten's filters, bindings and transforms, by the objects that the chart and the examples hold."""

from collections.abc import Mapping
from typing import Any

import pytest
import yaml

from tests.chart.helm import CHART, of_kind, rendered
from tests.cluster.application import EXAMPLES
from tests.cluster.kasten.rules import bound, passes, transformed
from tests.lab.apiserver import CNPG_CLUSTERS, EDB_CLUSTERS, LEASES, PODS, PVCS, Manifest

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


def test_a_transform_takes_the_archive_away_where_there_is_one() -> None:
    archiving = named(spec={"backup": {"barmanObjectStore": {}}, "instances": 3})
    for cluster in (archiving, named(spec={"instances": 3})):
        assert transformed(ACTION["transforms"], CNPG_CLUSTERS, cluster)["spec"] == {"instances": 3}
    assert transformed(ACTION["transforms"], PVCS, archiving) == archiving, "of another kind"
    assert archiving["spec"]["backup"], "the captured manifest is left alone"


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
