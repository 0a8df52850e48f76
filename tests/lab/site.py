"""One cluster of a lab, as tests look at it and handle it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any

from kubernetes.client import ApiClient, Configuration, CoreV1Api
from kubernetes.stream import stream

from tests.lab.apiserver import (
    NAMESPACES,
    PODS,
    Manifest,
    Resource,
    StatusError,
)
from tests.lab.lab import Lab
from tests.lab.operator.decisions import fence_list, lift_fence, place_fence
from tests.lab.operator.manifests import is_met
from tests.lab.operator.names import EDB

NAME = "cluster-example"
PRIMARY, ELECTED, THIRD = f"{NAME}-1", f"{NAME}-2", f"{NAME}-3"
FRESH = (f"edb-{number}" for number in count(1))


@dataclass(frozen=True)
class Site:
    """One namespace of a lab with one cluster, through which tests look."""

    lab: Lab
    namespace: str

    @property
    def cluster(self) -> Manifest:
        return self.lab.cluster(self.namespace, NAME)

    def get(self, resource: Resource, name: str) -> Manifest:
        return self.lab.store.get(resource, self.namespace, name)

    def names(self, resource: Resource) -> list[str]:
        return [each["metadata"]["name"] for each in self.lab.store.list(resource, self.namespace)]

    def fence(self, instance: str) -> None:
        self.lab.store.update(EDB.clusters, self.namespace, NAME, lambda each: place_fence(each, instance))

    def unfence(self, instance: str) -> None:
        self.lab.store.update(EDB.clusters, self.namespace, NAME, lambda each: lift_fence(each, instance))

    def running(self, instance: str) -> bool:
        return self.lab.server(self.namespace, instance).running

    def ready(self, instance: str) -> bool:
        return is_met(self.get(PODS, instance), "Ready")

    def wait_until_stopped(self, instance: str) -> None:
        self.lab.wait_for(f"{instance} to stop", lambda: not self.running(instance))

    def wait_until_fenced(self, instance: str) -> None:
        self.lab.wait_for(f"an entry for {instance}", lambda: instance in fence_list(self.cluster))

    def wait_until_lifted(self) -> None:
        self.lab.wait_for("the fence list to be empty", lambda: not fence_list(self.cluster))

    def wait_until_healthy(self) -> Manifest:
        return self.lab.wait_until_healthy(self.namespace, NAME)

    def state(self, instance: str) -> str:
        return self.lab.server(self.namespace, instance).controldata()["Database cluster state"]

    @contextmanager
    def exec_client(self, pod: str, *command: str) -> Iterator[Any]:
        """The real client's connection to a command, which ends with the block; the command may not."""
        options = {"container": "postgres", "stdout": True, "stderr": True, "_preload_content": False}
        with ApiClient(Configuration(host=self.lab.api.url)) as client:
            run = CoreV1Api(client).connect_get_namespaced_pod_exec
            connection = stream(run, pod, self.namespace, command=list(command), **options)
            try:
                yield connection
            finally:
                connection.sock.shutdown()  # close() would do nothing once the server has hung up

    def exec(self, pod: str, *command: str) -> tuple[int, str]:
        """Exit code and output of a command."""
        with self.exec_client(pod, *command) as connection:
            connection.run_forever(timeout=30)
            return connection.returncode, connection.read_stdout() + connection.read_stderr()


def restarted(site: Site, pod: str) -> str:
    """Delete a pod and wait until there is one of that name again; its UID."""
    old = site.lab.store.delete(PODS, site.namespace, pod)["metadata"]["uid"]

    def renewed() -> str | None:
        try:
            uid = str(site.get(PODS, pod)["metadata"]["uid"])
        except StatusError:
            return None
        return uid if uid != old and site.get(PODS, pod).get("status", {}).get("podIP") else None

    return site.lab.wait_for(f"a new pod {pod}", renewed)


def opened(lab: Lab, **options: Any) -> Iterator[Site]:
    """A site for as long as it is iterated, with a cluster made with these options."""
    site = Site(lab, next(FRESH))
    lab.create_cluster(site.namespace, NAME, **options)
    yield site
    lab.store.delete(NAMESPACES, "", site.namespace)
