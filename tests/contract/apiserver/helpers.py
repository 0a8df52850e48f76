"""The real client, made short for tests."""

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import kubernetes.client
import kubernetes.stream
import kubernetes.watch
import pytest
from kubernetes.client import ApiException

from tests.lab.apiserver import EDB_CLUSTERS, Manifest

# The client's annotations are partial, and take every field for optional: here manifests are open JSON.
client: Any = kubernetes.client
stream: Any = kubernetes.stream.stream
watch: Any = kubernetes.watch

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"
CLUSTERS = (EDB_CLUSTERS.group, EDB_CLUSTERS.version)
API_VERSION, KIND = EDB_CLUSTERS.api_version, EDB_CLUSTERS.kind
TYPE = {"apiVersion": API_VERSION, "kind": KIND}


class Outcome(NamedTuple):
    stdout: str
    stderr: str
    returncode: int


class Clusters:
    """The custom resource of one namespace, through the untyped API."""

    def __init__(self, api: Any, namespace: str) -> None:
        self.api = client.CustomObjectsApi(api)
        self.where = (*CLUSTERS, namespace, EDB_CLUSTERS.plural)

    def create(self, name: str = "pg", **metadata: Any) -> Any:
        body = TYPE | {"metadata": {"name": name, **metadata}, "spec": {"instances": 3}}
        return self.api.create_namespaced_custom_object(*self.where, body)

    def get(self, name: str = "pg") -> Any:
        return self.api.get_namespaced_custom_object(*self.where, name)

    def names(self, **selectors: str) -> list[str]:
        listed = self.api.list_namespaced_custom_object(*self.where, **selectors)
        return [item["metadata"]["name"] for item in listed["items"]]

    def merge(self, body: Manifest, name: str = "pg") -> Any:
        return self.api.patch_namespaced_custom_object(*self.where, name, body, _content_type=MERGE_PATCH)

    def json_patch(self, *operations: Manifest) -> Any:
        body = list(operations)
        return self.api.patch_namespaced_custom_object(*self.where, "pg", body, _content_type=JSON_PATCH)

    def replace(self, body: Manifest) -> Any:
        return self.api.replace_namespaced_custom_object(*self.where, "pg", body)

    def delete(self, name: str = "pg", **options: Any) -> Any:
        return self.api.delete_namespaced_custom_object(*self.where, name, **options)

    def version(self) -> str:
        return str(self.api.list_namespaced_custom_object(*self.where)["metadata"]["resourceVersion"])

    def watch(self, **options: Any) -> Any:
        options.setdefault("timeout_seconds", 10)
        return watch.Watch().stream(self.api.list_namespaced_custom_object, *self.where, **options)


def create_pod(core: Any, namespace: str, name: str, **metadata: Any) -> None:
    image = os.environ.get("KANFUNC_CONTRACT_IMAGE", "postgres")
    container = client.V1Container(
        name="postgres",
        image=image,
        command=["sleep", "3600"],
        working_dir="/tmp",  # noqa: S108
    )
    body = client.V1Pod(
        metadata=client.V1ObjectMeta(name=name, **metadata),
        spec=client.V1PodSpec(containers=[container], termination_grace_period_seconds=0),
    )
    core.create_namespaced_pod(namespace, body)


def eventually(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    """A real server's garbage collector works behind the answer."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.1)  # noqa: TID251 - there is nothing to watch for what is gone


@contextmanager
def exec_in_pod(
    api: Any,
    namespace: str,
    *command: str,
    pod: str = "shell",
    container: str = "postgres",
    stdin: bool = False,
) -> Iterator[Any]:
    """Start a command; the block has its streams."""
    connection = stream(
        client.CoreV1Api(api).connect_get_namespaced_pod_exec,
        pod,
        namespace,
        command=list(command),
        container=container,
        stdin=stdin,
        stdout=True,
        stderr=True,
        tty=False,
        _preload_content=False,
    )
    try:
        yield connection
    finally:
        connection.close()
        connection.sock.shutdown()  # `close` leaves the socket open when the server has hung up before


@contextmanager
def refused(code: int, reason: str) -> Iterator[None]:
    """The block ends in a refusal of the API server."""
    with pytest.raises(ApiException) as caught:
        yield
    assert (caught.value.status, json.loads(caught.value.body or "{}")["reason"]) == (code, reason)


def annotations(manifest: Manifest) -> dict[str, str]:
    return manifest["metadata"].get("annotations") or {}


def pod_names(core: Any, namespace: str) -> list[str]:
    return [pod.metadata.name for pod in core.list_namespaced_pod(namespace).items]
