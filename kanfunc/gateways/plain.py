"""The official client's requests without its models: each import of those costs more than all else that a
command does before its first request.
"""

from time import monotonic
from typing import Any

from kubernetes import client
from kubernetes.client.api.custom_objects_api import CustomObjectsApi

from kanfunc.gateways.execsocket import ExecSocket

CORE = ("", "v1")
"""Group and version of pods, volumes and Events."""
STORAGE = ("storage.k8s.io", "v1")


class AnyObjects(CustomObjectsApi):
    """The client's methods for custom objects, for every kind: those of the core group, too."""

    def __init__(self, configuration: client.Configuration) -> None:
        super().__init__(_Client(configuration))

    def exec_socket(
        self, namespace: str, pod: str, container: str, argv: list[str], seconds: float
    ) -> ExecSocket:
        """A command in a pod: connected, without input, output as bytes; all of it ends after `seconds`.

        The client's `stream` needs the models, and swaps a method while it connects: threads would notice.
        """
        url, headers = self.exec_request(namespace, pod, container, argv)
        return ExecSocket(self.api_client.configuration, url, headers, monotonic() + seconds)

    def exec_request(
        self, namespace: str, pod: str, container: str, argv: list[str]
    ) -> tuple[str, dict[str, str]]:
        """The URL that asks for a command in a pod, and its headers."""
        switches = [("stdin", "false"), ("stdout", "true"), ("stderr", "true"), ("tty", "false")]
        _, url, headers, *_ = self.api_client.param_serialize(
            "GET",
            "/api/v1/namespaces/{namespace}/pods/{name}/exec",
            {"namespace": namespace, "name": pod},
            [("command", argv), ("container", container), *switches],
            {"Accept": "*/*"},
            auth_settings=["BearerToken"],
            collection_formats={"command": "multi"},
        )
        # shorter, and as kubectl does: some proxies refuse a request line of over 8 kB
        return url.replace("%20", "+"), headers


class _Client(client.ApiClient):
    """Knows that the group without a name has a root of its own."""

    def param_serialize(
        self,
        method: str,
        resource_path: str,
        path_params: dict[str, str] | None = None,
        *arguments: Any,
        **options: Any,
    ) -> Any:
        """See ApiClient; CustomObjectsApi passes the group as a parameter of the path."""
        if path_params and path_params.get("group") == "":
            resource_path = resource_path.replace("/apis/{group}", "/api")
        return super().param_serialize(method, resource_path, path_params, *arguments, **options)
