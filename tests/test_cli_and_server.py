import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from time import monotonic

import pytest

from tests.builders import cluster_manifest
from tests.commandline import environment, kanfunc, last_line, loaded_by
from tests.lab.apiserver import EDB_CLUSTERS, NAMESPACES, ApiServer, Fault, Refuse, Store


@pytest.fixture
def store() -> Store:
    store = Store()
    store.create(NAMESPACES, {"metadata": {"name": "prod"}})
    return store


@pytest.fixture
def server(store: Store) -> Iterator[ApiServer]:
    with ApiServer(store) as server:
        yield server


@pytest.fixture
def kubeconfig(server: ApiServer, tmp_path: Path) -> str:
    server.write_kubeconfig(tmp_path / "kubeconfig")
    return str(tmp_path / "kubeconfig")


# ---- what it loads

FEW = 10  # models, of 700: what the methods for custom objects name


def test_requests_are_made_without_the_models_of_the_client(
    kubeconfig: str, store: Store, server: ApiServer
) -> None:
    """Hundreds, built by Pydantic: importing them takes longer than all else before the first request."""
    store.create(EDB_CLUSTERS, cluster_manifest())
    loaded = loaded_by("fence", "-n", "prod", KUBECONFIG=kubeconfig)
    assert "kubernetes.client.api.custom_objects_api" in loaded
    assert {"pods", "persistentvolumeclaims"} <= {each.plural for each in server.requests}
    assert sum(name.startswith("kubernetes.client.models.") for name in loaded) < FEW


# ---- without an API server


def test_no_access_is_told_with_the_way_out() -> None:
    failed = kanfunc("fence", "-n", "prod", KUBECONFIG="/nowhere/kubeconfig")
    line = last_line(failed)
    assert (failed.returncode, line["step"], line["verb"]) == (3, "Refused", "fence")
    assert "KUBECONFIG" in line["next"]
    assert len(failed.stderr.splitlines()) == 1


def test_output_holds_nothing_but_ours() -> None:
    assert kanfunc("fence", "-n", "prod", KUBECONFIG="/nowhere/kubeconfig").stdout == ""


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        pytest.param("- a\n- b\n"),
        pytest.param("hello"),
        pytest.param('"open'),
    ],
    ids=["empty", "no contexts", "a list", "a word", "no YAML"],
)
def test_kubeconfig_that_is_none_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / "kubeconfig").write_text(text)
    failed = kanfunc("unfence", "-n", "prod", "--outcome", "failure", KUBECONFIG=str(tmp_path / "kubeconfig"))
    assert failed.returncode == 3
    assert "KUBECONFIG" in last_line(failed)["next"]


def test_server_that_cannot_be_reached_is_told(server: ApiServer, kubeconfig: str) -> None:
    server.stop()
    failed = kanfunc("verify-restore", "-n", "prod", KUBECONFIG=kubeconfig)
    line = last_line(failed)
    assert (failed.returncode, line["step"]) == (1, "ApiFailed")
    assert line["found"].startswith("could not list Clusters of namespace prod")
    assert len(failed.stderr.splitlines()) == 1


class _WebPage(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"<html>Sign in</html>")

    def log_message(self, *_: object) -> None:
        return


@contextmanager
def web_page(kubeconfig: Path) -> Iterator[None]:
    """Something that is no API server answers."""
    with HTTPServer(("127.0.0.1", 0), _WebPage) as http:
        server = ApiServer(Store())
        server._port = http.server_port
        server.write_kubeconfig(kubeconfig)
        thread = threading.Thread(target=http.serve_forever)
        thread.start()
        yield
        http.shutdown()
        thread.join()


def test_answer_of_something_else_is_told(tmp_path: Path) -> None:
    with web_page(tmp_path / "kubeconfig"):
        failed = kanfunc("fence", "-n", "prod", KUBECONFIG=str(tmp_path / "kubeconfig"))
    assert failed.returncode == 1
    assert last_line(failed)["step"] == "ApiFailed"


# ---- with one


def test_nothing_to_protect_is_refused(kubeconfig: str) -> None:
    refused = kanfunc("fence", KUBECONFIG=kubeconfig, KANFUNC_NAMESPACE="prod")
    line = last_line(refused)
    assert (refused.returncode, line["step"], line["left"]) == (3, "Refused", "everything")
    assert "no Cluster in namespace prod" in line["found"]


def test_variables_stand_for_options(store: Store, kubeconfig: str) -> None:
    store.create(EDB_CLUSTERS, cluster_manifest())
    variables = {"KANFUNC_NAMESPACE": "prod", "KANFUNC_CLUSTER": "b a", "KANFUNC_OUTCOME": "failure"}
    refused = kanfunc("unfence", KUBECONFIG=kubeconfig, **variables)
    assert refused.returncode == 3
    assert "has no Cluster a, b" in last_line(refused)["found"]


def test_text_is_for_people(kubeconfig: str) -> None:
    for told in (
        kanfunc("--log-format", "text", "fence", "-n", "prod", KUBECONFIG=kubeconfig),
        kanfunc("fence", "-n", "prod", KUBECONFIG=kubeconfig, KANFUNC_LOG_FORMAT="text"),
    ):
        assert told.returncode == 3
        assert told.stderr.splitlines()[0] == "error   Refused"
        assert "    next: correct --namespace" in told.stderr


def test_no_permission_is_told(server: ApiServer, kubeconfig: str) -> None:
    server.faults.append(Fault(lambda _: True, Refuse(403), 100))
    failed = kanfunc("fence", "-n", "prod", KUBECONFIG=kubeconfig)
    assert failed.returncode == 3
    assert "403 injected failure" in last_line(failed)["found"]


def test_release_of_nothing_is_fine(store: Store, kubeconfig: str) -> None:
    store.create(EDB_CLUSTERS, cluster_manifest())
    released = kanfunc("unfence", "-n", "prod", "--outcome", "failure", KUBECONFIG=kubeconfig)
    assert released.returncode == 0
    assert [json.loads(line)["step"] for line in released.stderr.splitlines()] == ["nothing to release"]


def test_success_without_a_fence_is_unproven(store: Store, kubeconfig: str) -> None:
    store.create(EDB_CLUSTERS, cluster_manifest())
    unproven = kanfunc("unfence", "-n", "prod", "--outcome", "success", KUBECONFIG=kubeconfig)
    assert unproven.returncode == 2
    assert "was not fenced: it carries no record" in last_line(unproven)["found"]


def test_signal_ends_the_verification_of_all_clusters(
    store: Store, server: ApiServer, kubeconfig: str
) -> None:
    for name in ("a", "b"):
        manifest = cluster_manifest()
        store.create(EDB_CLUSTERS, manifest | {"metadata": {"name": name, "namespace": "prod"}})
    command = [sys.executable, "-m", "kanfunc", "verify-restore", "-n", "prod", "--primary-timeout", "6"]
    with subprocess.Popen(
        command, env=environment(KUBECONFIG=kubeconfig), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        end = monotonic() + 30
        while not any(request.verb == "watch" for request in server.requests) and monotonic() < end:
            threading.Event().wait(0.02)
        process.send_signal(signal.SIGTERM)
        begun = monotonic()
        assert process.wait(60) == 1
    assert monotonic() - begun < 4
