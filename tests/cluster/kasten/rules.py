"""What filters and bindings of Kasten say of an object, as pure functions over manifests.

Sources: docs.kasten.io, pages "Policies" and "Blueprint Bindings"; kinds that are spelled
wrong are refused here, where Kasten passes over them.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from tests.lab.apiserver import Resource
from tests.lab.kasten.transforms import selects
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
    return any(selects(rule, resource, manifest) for rule in rules)


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
