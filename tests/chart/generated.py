"""What is made from the chart and kept in the repository: its README, and manifests for people without Helm.

`python -m tests.chart.generated` writes them; a test says when they are not what they should be.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.chart.helm import CHART, REPOSITORY, Manifest, rendered

PLAIN = REPOSITORY / "blueprints"
IMAGE = "REGISTRY/kanfunc"
NAMESPACE = "kasten-io"
PARTS: Mapping[str, tuple[str, ...]] = {
    "edb-hooks.yaml": ("Blueprint",),
    "bindings.yaml": ("BlueprintBinding",),
    "rbac.yaml": ("ServiceAccount", "ClusterRole", "ClusterRoleBinding"),
    "watchdog.yaml": ("Deployment", "Service"),
}
HEADER = f"""\
# Rendered from chart/ by `make blueprints`: what `helm install edb-kasten chart/ -n {NAMESPACE}` makes
# with its defaults. Replace {IMAGE} by where you have pushed the image.
"""
_FROM_HELM = {"helm.sh/chart", "app.kubernetes.io/managed-by"}


def files() -> dict[Path, str]:
    """Content of every generated file."""
    manifests = [
        _plain(each) for each in rendered(namespace=NAMESPACE, image__repository=IMAGE) if _stays(each)
    ]
    found = {
        PLAIN / name: HEADER + "---\n".join(_text(each) for each in manifests if each["kind"] in kinds)
        for name, kinds in PARTS.items()
    }
    return found | {CHART / "README.md": readme()}


def _stays(manifest: Manifest) -> bool:
    return "helm.sh/hook" not in manifest["metadata"].get("annotations", {})


def _plain(manifest: Manifest) -> Manifest:
    labels = manifest["metadata"]["labels"]
    kept = {key: value for key, value in labels.items() if key not in _FROM_HELM}
    return manifest | {"metadata": manifest["metadata"] | {"labels": kept}}


def _text(manifest: Manifest) -> str:
    return yaml.safe_dump(manifest, sort_keys=False, width=200)


def readme() -> str:
    """README of the chart: its description, and every value with its comment and default."""
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    lines = [
        f"# {chart['name']}",
        "",
        f"{chart['description']}. What it is for, and how to install it: [README](../README.md).",
        "",
        f"Chart {chart['version']}, kanfunc {chart['appVersion']}, Kubernetes {chart['kubeVersion']}.",
        "",
        "```sh",
        f"helm install edb-kasten chart/ -n {NAMESPACE} --set image.repository={IMAGE} --set image.tag=TAG",
        "```",
        "",
        "| value | default | meaning |",
        "|---|---|---|",
    ]
    for path, comment in _documented((CHART / "values.yaml").read_text()):
        default = yaml.safe_dump(_at(values, path), default_flow_style=True, width=200).split("\n")[0]
        lines.append(f"| `{path}` | `{default}` | {comment} |")
    return "\n".join(lines) + "\n"


def _documented(text: str) -> Iterator[tuple[str, str]]:
    """Dotted name and comment of each value under a line that begins with `# --`."""
    parents: list[str] = []
    comment = ""
    for line in text.splitlines():
        stripped = line.strip()
        if stripped.startswith("# -- "):
            comment = stripped.removeprefix("# -- ")
        elif match := re.match(r"( *)([A-Za-z]+):", line):
            parents = [*parents[: len(match[1]) // 2], match[2]]
            if comment:
                yield ".".join(parents), comment
            comment = ""


def _at(values: Mapping[str, Any], path: str) -> Any:
    for part in path.split("."):
        values = values[part]
    return values


if __name__ == "__main__":
    for file, content in files().items():
        file.write_text(content)
