"""The real client without its own retries, and a handler that runs commands as they are."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.contract.apiserver.helpers import client
from tests.lab.apiserver import ApiServer, ExecRequest, Spawn


@contextmanager
def core_client(server: ApiServer) -> Iterator[Any]:
    """CoreV1Api; what goes wrong reaches the caller at once."""
    configuration = client.Configuration(host=server.url)
    configuration.retries = False
    with client.ApiClient(configuration) as api:
        yield client.CoreV1Api(api)


def as_process(request: ExecRequest) -> Spawn:
    """An exec handler."""
    return Spawn([*request.command], {"PATH": "/usr/bin:/bin"}, "/")


def still_alive(but: set[threading.Thread]) -> set[threading.Thread]:
    """Threads other than these that do not end by themselves within a second."""
    left = set(threading.enumerate()) - but
    for thread in left:
        thread.join(1)
    return {thread for thread in left if thread.is_alive()}
