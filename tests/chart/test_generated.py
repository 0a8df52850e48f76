"""Files made from the chart are up to date, complete, and say what the chart says."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.chart.generated import PLAIN, files
from tests.chart.helm import CHART, REPOSITORY, of_kind, rendered

EXAMPLES = [file for file in sorted((REPOSITORY / "examples").glob("*.yaml")) if file.name != "checks.yaml"]


def test_nothing_has_drifted() -> None:
    for file, content in files().items():
        assert file.read_text() == content, f"{file.name}: run `make blueprints`"


def test_plain_manifests_are_all_and_whole() -> None:
    present = sorted(PLAIN.glob("*.yaml"))
    assert present == sorted(file for file in files() if file.parent == PLAIN)
    kinds = [manifest["kind"] for file in present for manifest in yaml.safe_load_all(file.read_text())]
    assert sorted(set(kinds)) == [
        "Blueprint", "BlueprintBinding", "ClusterRole", "ClusterRoleBinding", "Deployment", "Service",
        "ServiceAccount",
    ]  # fmt: skip


def test_every_value_is_documented() -> None:
    def leaves(schema: dict[str, Any], path: str) -> Iterator[str]:
        for key, inner in schema["properties"].items():
            name = f"{path}{key}"
            if inner.get("type") == "object" and "properties" in inner and key != "resources":
                yield from leaves(inner, f"{name}.")
            else:
                yield name

    schema = json.loads((CHART / "values.schema.json").read_text())
    readme = (CHART / "README.md").read_text()
    missing = [name for name in leaves(schema, "") if name != "global" and f"| `{name}` |" not in readme]
    assert missing == []


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda file: file.name)
def test_examples_are_objects(example: Any) -> None:
    for manifest in yaml.safe_load_all(example.read_text()):
        assert {"apiVersion", "kind", "metadata", "spec"} <= manifest.keys()


def test_examples_of_policies_are_those_of_the_chart() -> None:
    """A policy by hand and a policy of the chart differ in their name alone."""
    for mode in ("binding", "policy"):
        [example] = list(yaml.safe_load_all((REPOSITORY / "examples" / f"policy-{mode}.yaml").read_text()))
        entry = {"name": "edb-backup", "namespace": "edb", "profile": "object-store"}
        chart = rendered(image__repository="x", hooks__mode=mode, policies=[entry])
        [policy] = of_kind(chart, "Policy")
        assert example["spec"] == policy["spec"]
