"""A small store, a server in front of it, the real client."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.lab.apiserver import CONFIGMAPS, NAMESPACES, PODS, ApiServer, Store
from tests.lab.apiserver.clients import core_client


@pytest.fixture
def store() -> Store:
    store = Store()
    store.create(NAMESPACES, {"metadata": {"name": "ns"}})
    store.create(CONFIGMAPS, {"metadata": {"namespace": "ns", "name": "cm"}, "data": {"n": "0"}})
    containers = [{"name": "postgres"}]
    store.create(PODS, {"metadata": {"namespace": "ns", "name": "shell"}, "spec": {"containers": containers}})
    return store


@pytest.fixture
def server(store: Store) -> Iterator[ApiServer]:
    with ApiServer(store) as server:
        yield server


@pytest.fixture
def core(server: ApiServer) -> Iterator[Any]:
    with core_client(server) as core:
        yield core
