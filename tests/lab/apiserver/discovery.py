"""The documents in which a client looks up what the server offers."""

from collections.abc import Iterable

from tests.lab.apiserver.resources import RESOURCES, Manifest, Resource

_VERBS = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]
_STATUS_VERBS = ["get", "patch", "update"]


def documents() -> dict[str, Manifest]:
    """Discovery documents by path."""
    by_api_version: dict[str, list[Resource]] = {}
    for resource in RESOURCES:
        by_api_version.setdefault(resource.api_version, []).append(resource)
    groups = [_group(resources[0]) for resources in by_api_version.values() if resources[0].group]
    return {
        "/version": _VERSION,
        "/api": {"kind": "APIVersions", "versions": ["v1"]},
        "/apis": {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups},
        **{f"/apis/{group['name']}": {"kind": "APIGroup", "apiVersion": "v1", **group} for group in groups},
        **{_path(version): _resource_list(version, members) for version, members in by_api_version.items()},
    }


_VERSION: Manifest = {
    "major": "1",
    "minor": "34",
    "gitVersion": "v1.34.0-simulated",
    "gitCommit": "",
    "gitTreeState": "clean",
    "buildDate": "1970-01-01T00:00:00Z",
    "goVersion": "",
    "compiler": "",
    "platform": "",
}


def _path(api_version: str) -> str:
    return f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"


def _group(resource: Resource) -> Manifest:
    version = {"groupVersion": resource.api_version, "version": resource.version}
    return {"name": resource.group, "versions": [version], "preferredVersion": version}


def _resource_list(api_version: str, resources: Iterable[Resource]) -> Manifest:
    entries = []
    for resource in resources:
        entries.append(_entry(resource, resource.plural, resource.kind, _VERBS))
        if resource.status:
            entries.append(_entry(resource, f"{resource.plural}/status", resource.kind, _STATUS_VERBS))
        if resource.plural == "pods":
            entries.append(_entry(resource, "pods/exec", "PodExecOptions", ["create", "get"]))
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": api_version,
        "resources": entries,
    }


def _entry(resource: Resource, name: str, kind: str, verbs: list[str]) -> Manifest:
    singular = "" if "/" in name else resource.kind.lower()
    return {
        "name": name,
        "singularName": singular,
        "namespaced": resource.namespaced,
        "kind": kind,
        "verbs": verbs,
    }
