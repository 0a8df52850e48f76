"""The API server under test comes in through `kubeconfig`, a place to run commands through `pod`."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import kubernetes.config
import pytest

from tests.contract.apiserver.helpers import Clusters, Outcome, client, create_pod, eventually, exec_in_pod
from tests.lab.apiserver import ApiServer, ExecRequest, Spawn, Store

config: Any = kubernetes.config  # partly annotated


@pytest.fixture(scope="session")
def kubeconfig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where the API server is found. It knows EDB's custom resources; the caller may do everything.

    KANFUNC_CONTRACT_KUBECONFIG names a real one, KANFUNC_CONTRACT_IMAGE an image with a shell for its pods.
    """
    if real := os.environ.get("KANFUNC_CONTRACT_KUBECONFIG"):
        yield Path(real)
        return
    directory = tmp_path_factory.mktemp("apiserver")

    def shell(request: ExecRequest) -> Spawn:
        return Spawn([*request.command], {"PATH": "/usr/bin:/bin"}, str(directory))

    with ApiServer(Store(), shell) as server:
        server.write_kubeconfig(directory / "kubeconfig")
        yield directory / "kubeconfig"


@pytest.fixture
def api(kubeconfig: Path) -> Iterator[Any]:
    with config.new_client_from_config(str(kubeconfig)) as api_client:
        yield api_client


@pytest.fixture
def core(api: Any) -> Any:
    return client.CoreV1Api(api)


@pytest.fixture
def namespace(core: Any) -> Iterator[str]:
    name = f"contract-{uuid4().hex[:8]}"
    core.create_namespace({"metadata": {"name": name}})
    yield name
    core.delete_namespace(name)


@pytest.fixture
def clusters(api: Any, namespace: str) -> Clusters:
    return Clusters(api, namespace)


@pytest.fixture
def pods(core: Any, namespace: str) -> Any:
    """Three pods of a cluster, one of them its primary."""
    for name, role in {"pg-1": "primary", "pg-2": "replica", "pg-3": "replica"}.items():
        create_pod(core, namespace, name, labels={"k8s.enterprisedb.io/cluster": "pg", "role": role})
    return core


@pytest.fixture
def pod(core: Any, namespace: str) -> str:
    """A pod whose container `postgres` has a shell and a writable working directory."""
    create_pod(core, namespace, "shell")
    if "KANFUNC_CONTRACT_KUBECONFIG" in os.environ:  # pods of the simulator take commands at once
        eventually(lambda: core.read_namespaced_pod("shell", namespace).status.phase == "Running")
    return "shell"


@pytest.fixture
def run(kubeconfig: Path, namespace: str, pod: str) -> Iterator[Callable[..., Outcome]]:
    """Run a command in the pod to its end."""
    with config.new_client_from_config(str(kubeconfig)) as exec_client:

        def run(*command: str, stdin: str | None = None) -> Outcome:
            options: dict[str, Any] = {"stdin": stdin is not None, "pod": pod}
            with exec_in_pod(exec_client, namespace, *command, **options) as connection:
                if stdin is not None:
                    connection.write_stdin(stdin)
                connection.run_forever(timeout=10)
                return Outcome(connection.read_stdout(), connection.read_stderr(), connection.returncode)

        yield run
