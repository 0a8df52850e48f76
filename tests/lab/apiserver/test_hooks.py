"""The life of the server, and the failures that tests ask it for."""

import os
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from kubernetes.client import ApiException
from urllib3.exceptions import HTTPError, ProtocolError

from tests.contract.apiserver.helpers import exec_in_pod, watch
from tests.lab.apiserver import (
    CONFIGMAPS,
    PODS,
    ApiServer,
    Delay,
    Drop,
    Fault,
    LoseAnswer,
    Refuse,
    Request,
    Store,
)
from tests.lab.apiserver.clients import as_process, core_client, still_alive


def _touch(core: Any) -> None:
    core.patch_namespaced_config_map("cm", "ns", {"data": {"touched": "yes"}})


def _touched(store: Store) -> bool:
    return "touched" in store.get(CONFIGMAPS, "ns", "cm")["data"]


def _is_patch(request: Request) -> bool:
    return request.verb == "patch"


def test_stop_is_quick_and_complete_with_all_connections_open(store: Store, tmp_path: Path) -> None:
    threads = set(threading.enumerate())
    os.mkfifo(tmp_path / "alive")
    server = ApiServer(store, as_process).start()
    # `timeout` leaves the process group of its parent: its child must die all the same.
    script = f"exec 3> {tmp_path}/alive; timeout 600 sh -c 'echo ready; exec sleep 600' & wait"
    with core_client(server) as core, exec_in_pod(core.api_client, "ns", "sh", "-c", script) as connection:
        with (tmp_path / "alive").open("rb") as held_by_processes:
            assert connection.readline_stdout(timeout=10) == "ready"
            events = watch.Watch().stream(core.list_namespaced_pod, "ns", timeout_seconds=60)
            assert next(events)["type"] == "ADDED"
            began = time.monotonic()
            server.stop()
            assert time.monotonic() - began < 0.5
            assert held_by_processes.read() == b""  # which ends when the last of them does
        assert list(events) == []  # ended in good order, not cut
    assert still_alive(threads) == set()


def test_outage_keeps_url_and_objects(server: ApiServer, core: Any) -> None:
    url = server.url
    server.stop()
    with pytest.raises(HTTPError):
        core.read_namespaced_config_map("cm", "ns")
    server.start()
    assert server.url == url
    assert core.read_namespaced_config_map("cm", "ns").data == {"n": "0"}


def test_log_of_requests(server: ApiServer, core: Any) -> None:
    core.list_namespaced_pod("ns")
    _touch(core)
    assert server.requests == [
        Request("list", "", "pods", "", "ns", ""),
        Request("patch", "", "configmaps", "", "ns", "cm"),
    ]


@pytest.mark.parametrize("code", [403, 409, 429, 500, 503])
def test_refusals_do_nothing_and_run_out(server: ApiServer, core: Any, store: Store, code: int) -> None:
    server.faults.append(Fault(_is_patch, Refuse(code), times=2))
    for _ in range(2):
        with pytest.raises(ApiException) as caught:
            _touch(core)
        assert caught.value.status == code
    assert not _touched(store)
    _touch(core)
    assert _touched(store)


def test_dropped_request_was_not_carried_out(server: ApiServer, core: Any, store: Store) -> None:
    server.faults.append(Fault(_is_patch, Drop()))
    with pytest.raises(ProtocolError):
        _touch(core)
    assert not _touched(store)


def test_lost_answer_was_carried_out(server: ApiServer, core: Any, store: Store) -> None:
    server.faults.append(Fault(_is_patch, LoseAnswer()))
    with pytest.raises(ProtocolError):
        _touch(core)
    assert _touched(store)


def test_delay_outlasts_an_impatientcore_client(server: ApiServer, core: Any) -> None:
    server.faults.append(Fault(lambda request: request.plural == "configmaps", Delay(30)))
    with pytest.raises(HTTPError, match="Read timed out"):
        core.read_namespaced_config_map("cm", "ns", _request_timeout=0.1)
    assert core.read_namespaced_config_map("cm", "ns").data == {"n": "0"}


def test_cut_watch_raises_in_thecore_client(server: ApiServer, core: Any) -> None:
    events = watch.Watch().stream(core.list_namespaced_pod, "ns", timeout_seconds=10)
    assert next(events)["type"] == "ADDED"
    assert server.cut_watches() == 1
    with pytest.raises(ProtocolError):
        next(events)


def test_expired_history_is_gone(core: Any, store: Store) -> None:
    version = core.list_namespaced_pod("ns").metadata.resource_version
    _touch(core)
    store.expire_history()
    late = watch.Watch().stream(core.list_namespaced_pod, "ns", resource_version=version, timeout_seconds=10)
    with pytest.raises(ApiException) as caught:
        next(late)
    assert caught.value.status == 410
    version = core.list_namespaced_pod("ns").metadata.resource_version
    relisted = watch.Watch().stream(
        core.list_namespaced_pod, "ns", resource_version=version, timeout_seconds=10
    )
    store.update(PODS, "ns", "shell", lambda pod: pod["metadata"].update(labels={"a": "b"}))
    assert next(relisted)["type"] == "MODIFIED"
    relisted.close()
