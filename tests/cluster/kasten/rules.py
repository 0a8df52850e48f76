"""What filters, bindings and transforms of Kasten say of an object, as pure functions over manifests.

Sources: docs.kasten.io, pages "Policies", "Blueprint Bindings" and "Transforms"; kinds that are spelled
wrong are refused here, where Kasten passes over them.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

import jsonpatch
import jsonpointer

from tests.lab.apiserver import Resource
from tests.lab.operator.decisions import annotations, labels
from tests.lab.operator.names import Manifest

Requirement = Mapping[str, Any]
APPLICATION: Final = "k10.kasten.io/appNamespace"


def applications(policy: Manifest) -> list[str]:
    """Namespaces that a policy is for.

    >>> applications({"spec": {"selector": {"matchExpressions": [
    ...     {"key": "k10.kasten.io/appNamespace", "operator": "In", "values": ["edb"]}]}}})
    ['edb']
    """
    [expression] = policy["spec"]["selector"]["matchExpressions"]
    if (expression["key"], expression["operator"]) != (APPLICATION, "In"):
        raise ValueError(f"a selector that is not imitated: {expression}")
    found: list[str] = expression["values"]
    return found


def passes(filters: Mapping[str, Any], resource: Resource, manifest: Manifest) -> bool:
    """Whether filters leave an object: it is included (by default everything is), and not excluded."""
    if unknown := filters.keys() - {"includeResources", "excludeResources"}:
        raise ValueError(f"filters have no {unknown}")
    included = filters.get("includeResources") or [{}]
    excluded = filters.get("excludeResources") or []
    return _any(included, resource, manifest) and not _any(excluded, resource, manifest)


def _any(rules: Iterable[Requirement], resource: Resource, manifest: Manifest) -> bool:
    return any(_selects(rule, resource, manifest) for rule in rules)


def _selects(rule: Requirement, resource: Resource, manifest: Manifest) -> bool:
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


def bound(bindings: Sequence[Manifest], resource: Resource, manifest: Manifest) -> Manifest | None:
    """The binding of an object: of those that match the oldest."""
    matching = [each for each in bindings if _binds(each["spec"]["resources"], resource, manifest)]
    return min(matching, key=lambda each: str(each["metadata"].get("creationTimestamp", "")), default=None)


def _binds(resources: Mapping[str, Any], resource: Resource, manifest: Manifest) -> bool:
    every, some = resources.get("matchAll") or [], resources.get("matchAny") or []
    if not every and not some:
        raise ValueError("a binding without any requirement is invalid")
    met = [_meets(each, resource, manifest) for each in every]
    return all(met) and (not some or any(_meets(each, resource, manifest) for each in some))


def _meets(requirement: Requirement, resource: Resource, manifest: Manifest) -> bool:
    [(what, rule)] = requirement.items()
    if what == "type":
        listed = {"group": resource.group, "resource": resource.plural} in rule["values"]
        return listed is (rule["operator"] == "In")
    values = {"labels": labels, "annotations": annotations}[what](manifest)
    return _OPERATORS[rule["operator"]](values.get(rule["key"]), rule.get("values") or [])


_OPERATORS: Mapping[str, Callable[[str | None, Sequence[str]], bool]] = {
    "Exists": lambda value, _: value is not None,
    "DoesNotExist": lambda value, _: value is None,
    "In": lambda value, values: value in values,
    "NotIn": lambda value, values: value not in values,
}


def transformed(transforms: Iterable[Mapping[str, Any]], resource: Resource, manifest: Manifest) -> Manifest:
    """The object after all transforms that are for it, in order; a `test` that fails skips the rest of one.

    Raises jsonpatch's errors where an operation of another kind fails.
    """
    for transform in transforms:
        if _selects(transform["subject"], resource, manifest):
            manifest = _patched(manifest, transform["json"])
    return manifest


def _patched(manifest: Manifest, operations: Iterable[Mapping[str, Any]]) -> Manifest:
    """A `test` without a value asks whether the path is there."""
    for operation in operations:
        if operation["op"] == "test":
            absent = object()
            found = jsonpointer.resolve_pointer(manifest, operation["path"], absent)
            if found is absent or found != operation.get("value", found):
                break
        else:
            manifest = jsonpatch.apply_patch(manifest, [operation])
    return manifest
