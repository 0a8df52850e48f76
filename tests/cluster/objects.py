"""Manifests of a real API server, with the surface of the lab's store: stand-ins work on either."""

import json
from collections.abc import Callable, Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import kubernetes.config

from tests.lab.apiserver import MERGE_PATCH, Manifest, Resource, StatusError
from tests.lab.operator.names import Objects

_config: Any = kubernetes.config  # partly annotated


class RealObjects(Objects):
    """Whatever the kubeconfig's user may do."""

    def __init__(self, kubeconfig: Path) -> None:
        self.client = _config.new_client_from_config(str(kubeconfig))

    def get(self, resource: Resource, namespace: str, name: str) -> Manifest:
        return self._call("GET", resource, namespace, name)

    def list(
        self, resource: Resource, namespace: str | None = None, labels: str = "", fields: str = ""
    ) -> list[Manifest]:
        """Of a type that the server does not know there are none: one operator may be alone there."""
        query = {"labelSelector": labels, "fieldSelector": fields}
        try:
            found = self._call("GET", resource, namespace, "", query)["items"]
        except StatusError as error:
            if error.code == HTTPStatus.NOT_FOUND:
                return []
            raise
        kind = {"apiVersion": resource.api_version, "kind": resource.kind}  # items of a list lack both
        return [kind | item for item in found]

    def create(self, resource: Resource, manifest: Manifest) -> Manifest:
        return self._call("POST", resource, manifest["metadata"].get("namespace"), body=manifest)

    def patch(
        self, resource: Resource, namespace: str, name: str, change: Manifest, *, subresource: str = ""
    ) -> Manifest:
        """A merge patch."""
        return self._call("PATCH", resource, namespace, f"{name}/{subresource}".rstrip("/"), body=change)

    def watch(
        self, resource: Resource, namespace: str | None, seconds: float, **query: str
    ) -> Iterator[Manifest]:
        """Objects that are there, and each as it is created or changed, for that long."""
        listed = self._call("GET", resource, namespace, "", query)
        yield from listed["items"]
        position = {"watch": "true", "resourceVersion": listed["metadata"]["resourceVersion"]}
        limit = {"timeoutSeconds": str(max(1, round(seconds)))}
        answer = self._send("GET", resource, namespace, "", query | position | limit)
        try:
            for line in answer:
                yield json.loads(line)["object"]
        finally:
            answer.close()  # whoever has seen enough leaves the server in mid-answer

    def await_object(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        condition: Callable[[Manifest], object],
        seconds: float = 60.0,
    ) -> Manifest:
        """The object once it is so; TimeoutError with what was seen last."""
        last: Manifest = {}
        for last in self.watch(resource, namespace, seconds, fieldSelector=f"metadata.name={name}"):
            if condition(last):
                return last
        shown = json.dumps(last.get("status") or last)
        raise TimeoutError(
            f"{resource.kind} {namespace}/{name}: not within {seconds:g} s; last {shown[-1500:]}"
        )

    def _call(self, *where: Any, **options: Any) -> Manifest:
        return json.loads(self._send(*where, **options).data)  # type: ignore[no-any-return]

    def _send(  # noqa: PLR0917 - in the order of a URL
        self,
        method: str,
        resource: Resource,
        namespace: str | None,
        name: str = "",
        query: dict[str, str] | None = None,
        body: Manifest | None = None,
    ) -> Any:
        root = f"/apis/{resource.api_version}" if resource.group else f"/api/{resource.version}"
        scope = f"/namespaces/{namespace}" if resource.namespaced and namespace else ""
        path = "/".join(filter(None, (resource.plural, quote(name))))
        kind = MERGE_PATCH if method == "PATCH" else "application/json"
        headers = {"Content-Type": kind, "Accept": "application/json"}
        if token := self.client.configuration.get_api_key_with_prefix("authorization"):
            headers["Authorization"] = token
        answer = self.client.rest_client.pool_manager.request(
            method,
            f"{self.client.configuration.host}{root}{scope}/{path}?{urlencode(query or {})}",
            body=None if body is None else json.dumps(body),
            headers=headers,
            preload_content=not (query or {}).get("watch"),
        )
        if answer.status >= HTTPStatus.BAD_REQUEST:
            raise StatusError(answer.status, str(answer.reason), answer.data.decode())
        return answer
