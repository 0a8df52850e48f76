"""What a restore's transforms make of an object, by Kasten's documentation of its API (8.5, "RestoreAction").

Only what the examples use is imitated; anything else is refused here, so that no test passes by it.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import jsonpatch
import jsonpointer
import yaml

from tests.lab.apiserver import Resource
from tests.lab.kasten.actions import ActionFailed, Manifest
from tests.lab.operator.decisions import labels

Transform = Mapping[str, Any]
EXAMPLE: tuple[Transform, ...] = tuple(
    yaml.safe_load((Path(__file__).parents[3] / "examples" / "restore.yaml").read_text())["spec"][
        "transforms"
    ]
)
"""Those of `examples/restore.yaml`, which users copy."""

_FIELDS = {
    "test": {"op", "path", "value"},
    "add": {"op", "path", "value"},
    "remove": {"op", "path"},
    "copy": {"op", "path", "from"},
    "move": {"op", "path", "from"},
    "replace": {"op", "path", "value"},
}


def selects(rule: Mapping[str, Any], resource: Resource, manifest: Manifest) -> bool:
    """Whether an object is one that a filter or a transform's subject names; what is left out matches any."""
    named = {
        "group": resource.group,
        "version": resource.version,
        "resource": resource.plural,
        "name": manifest["metadata"]["name"],
    }
    if unknown := rule.keys() - named.keys() - {"matchLabels"}:
        raise ValueError(f"rules have no {unknown}, or it is not imitated")
    wanted = rule.get("matchLabels", {}).items()
    return wanted <= labels(manifest).items() and all(
        rule.get(key, value) == value for key, value in named.items()
    )


def transformed(transforms: Iterable[Transform], resource: Resource, manifest: Manifest) -> Manifest:
    """The object after all transforms that are for it, in order; a `test` that fails skips the rest of one.

    Raises ActionFailed where an operation of another kind fails: that fails the restore.
    """
    for transform in transforms:
        if unknown := transform.keys() - {"subject", "name", "json"}:
            raise ValueError(f"transforms have no {unknown}, or it is not imitated")
        if selects(transform["subject"], resource, manifest):
            manifest = _patched(manifest, transform["json"])
    return manifest


def _patched(manifest: Manifest, operations: Iterable[Mapping[str, Any]]) -> Manifest:
    for operation in operations:
        if unknown := operation.keys() - _FIELDS[operation["op"]]:
            raise ValueError(f"{operation['op']} has no {unknown}, or it is not imitated")
        if operation["op"] == "test":
            if not _holds(operation, manifest):
                break
        else:
            manifest = _changed(manifest, operation)
    return manifest


def _holds(test: Mapping[str, Any], manifest: Manifest) -> bool:
    """A `test` without a value asks whether the path is there."""
    absent = object()
    found = jsonpointer.resolve_pointer(manifest, test["path"], absent)
    return found is not absent and found == test.get("value", found)


def _changed(manifest: Manifest, operation: Mapping[str, Any]) -> Manifest:
    """`copy` and `move` overwrite what is at the new path. Whether `add` does is not said: refused here."""
    if operation["op"] == "add" and _holds({"path": operation["path"]}, manifest):
        raise ValueError(
            f"there is a {operation['path']} already: what Kasten's add makes of it is not known"
        )
    try:
        changed: Manifest = jsonpatch.apply_patch(manifest, [operation])
    except (jsonpatch.JsonPatchException, jsonpointer.JsonPointerException) as failure:
        raise ActionFailed(f"transform {operation}: {failure}") from failure
    return changed
