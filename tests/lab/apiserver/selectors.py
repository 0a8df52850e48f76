"""Label and field selectors as the API server reads them."""

import re
from collections.abc import Callable
from typing import Any

from tests.lab.apiserver.errors import bad_request
from tests.lab.apiserver.resources import Manifest, Resource

Predicate = Callable[[Manifest], bool]

_OUTSIDE_PARENTHESES = re.compile(r",(?![^(]*\))")
_SET = re.compile(r"(?P<key>\S+)\s+(?P<operator>in|notin)\s*\((?P<values>[^()]*)\)")
_EQUALITY = re.compile(r"(?P<key>[^=!\s]+)\s*(?P<operator>==|=|!=)\s*(?P<values>[^=!\s]*)")
_EXISTENCE = re.compile(r"(?P<absent>!?)\s*(?P<key>[^=!\s()]+)")
_CUSTOM_FIELDS = frozenset({"metadata.name", "metadata.namespace"})


class Selection:
    """Objects of one resource, of one namespace or of all, that fit a label and a field selector.

    Raises StatusError (400 BadRequest) for a selector that the API server would not understand.
    """

    def __init__(
        self, resource: Resource, namespace: str | None = None, labels: str = "", fields: str = ""
    ) -> None:
        self.resource = resource
        self.namespace = namespace
        self._predicates = [
            *(_label_predicate(requirement) for requirement in _requirements(labels)),
            *(_field_predicate(resource, requirement) for requirement in _requirements(fields)),
        ]

    def includes(self, resource: Resource, manifest: Manifest) -> bool:
        """Whether an object of that resource is selected."""
        return (
            resource == self.resource
            and self.namespace in {None, manifest["metadata"].get("namespace")}
            and all(predicate(manifest) for predicate in self._predicates)
        )


def _requirements(selector: str) -> list[str]:
    return [part.strip() for part in _OUTSIDE_PARENTHESES.split(selector) if part.strip()]


def _label_predicate(requirement: str) -> Predicate:
    if match := _SET.fullmatch(requirement) or _EQUALITY.fullmatch(requirement):
        values = {value.strip() for value in match["values"].split(",")}
        return _value_predicate(match["key"], values, wanted=match["operator"] not in {"notin", "!="})
    if match := _EXISTENCE.fullmatch(requirement):
        key, wanted = match["key"], not match["absent"]
        return lambda manifest: (key in _labels(manifest)) == wanted
    raise bad_request(f"unable to parse requirement: {requirement}")


def _value_predicate(key: str, values: set[str], *, wanted: bool) -> Predicate:
    # An absent label satisfies `!=` and `notin`: so says the API, and so it surprises people.
    return lambda manifest: (_labels(manifest).get(key) in values) == wanted


def _labels(manifest: Manifest) -> dict[str, str]:
    return manifest["metadata"].get("labels") or {}


def _field_predicate(resource: Resource, requirement: str) -> Predicate:
    match = _EQUALITY.fullmatch(requirement)
    if match is None:
        raise bad_request(f'invalid selector: "{requirement}"; can\'t understand it')
    path, value, wanted = match["key"], match["values"], match["operator"] != "!="
    if resource.custom and path not in _CUSTOM_FIELDS:
        raise bad_request(f"field label not supported: {path}")
    return lambda manifest: (_field(manifest, path) == value) == wanted


def _field(manifest: Manifest, path: str) -> str:
    value: Any = manifest
    for part in path.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return "" if value is None else str(value)
