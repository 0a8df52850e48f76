"""What a request asks for: verb and resource out of method, path and query."""

from dataclasses import dataclass
from typing import NamedTuple

from aiohttp import web

from tests.lab.apiserver.errors import StatusError, unknown_path
from tests.lab.apiserver.resources import NAMESPACES, RESOURCES, Resource

_BY_PATH = {(resource.group, resource.version, resource.plural): resource for resource in RESOURCES}
_VERBS = {"GET": "get", "POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_COLLECTION_VERBS = {"GET": "list", "POST": "create", "DELETE": "deletecollection"}
_NAMESPACE_SUBRESOURCES = {"status", "finalize"}


class Request(NamedTuple):
    """One request as an audit log and an RBAC rule name it; "" where a part does not apply."""

    verb: str
    group: str
    plural: str
    subresource: str
    namespace: str
    name: str


@dataclass(frozen=True)
class Route:
    """Where a request goes."""

    verb: str
    resource: Resource
    namespace: str
    name: str
    subresource: str

    @property
    def request(self) -> Request:
        """The line for the log."""
        group, plural = self.resource.group, self.resource.plural
        return Request(self.verb, group, plural, self.subresource, self.namespace, self.name)


def route(http: web.BaseRequest) -> Route:
    """Read a request. Raises StatusError: 404 for what the server does not have, 405 for a wrong method."""
    group, version, parts = _group(http.path.strip("/").split("/"))
    namespace = ""
    if parts[:1] == [NAMESPACES.plural] and len(parts) > 2 and parts[2] not in _NAMESPACE_SUBRESOURCES:
        namespace, parts = parts[1], parts[2:]
    plural, name, subresource, *rest = [*parts, "", "", ""]
    resource = _BY_PATH.get((group, version, plural))
    if resource is None or any(rest) or (namespace and not resource.namespaced):
        raise unknown_path()
    _check_subresource(resource, subresource)
    return Route(_verb(http, name), resource, namespace, name, subresource)


def _group(parts: list[str]) -> tuple[str, str, list[str]]:
    match parts:
        case ["api", version, *rest]:
            return "", version, rest
        case ["apis", group, version, *rest]:
            return group, version, rest
        case _:
            raise unknown_path()


def _check_subresource(resource: Resource, subresource: str) -> None:
    offered = {"", *(["status"] if resource.status else []), *(["exec"] if resource.plural == "pods" else [])}
    if subresource not in offered:
        raise unknown_path()


def _verb(http: web.BaseRequest, name: str) -> str:
    verb = (_VERBS if name else _COLLECTION_VERBS).get(http.method)
    if verb is None:
        raise StatusError(
            405, "MethodNotAllowed", "the server does not allow this method on the requested resource"
        )
    return "watch" if verb == "list" and flag(http, "watch") else verb


def flag(http: web.BaseRequest, name: str) -> bool:
    """A boolean query parameter."""
    return http.query.get(name, "").lower() in {"true", "1"}
