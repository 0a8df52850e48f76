"""The official client, made safe to use: errors translated once, plain JSON out, watches that start from a
list and say when they were cut.
"""

import logging
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import urllib3
from kubernetes import client, config
from kubernetes.client.exceptions import ApiException
from kubernetes.client.rest import RESTClientObject
from urllib3.util import parse_url

from kanfunc.domain.errors import (
    ApiFailed,
    Conflict,
    Forbidden,
    KanfuncError,
    NotFound,
    Refused,
    WatchBroken,
)
from kanfunc.domain.manifest import Manifest
from kanfunc.gateways.answers import whole
from kanfunc.gateways.foreign import status_of, told
from kanfunc.gateways.manifests import Watch, parsed
from kanfunc.gateways.secrecy import keep_secret

REQUEST_SECONDS = 30
"""To connect, and until something more of an answer comes."""
_WATCH_SECONDS = 30
"""A watch is opened anew this often: a connection that died without a word is noticed."""

_CONNECTIONS = 64
"""Kept for the next request. By default the client keeps fewer than there may be threads."""

_RETRIES = urllib3.Retry(
    total=5,
    allowed_methods=None,  # every write of ours is guarded by a `test`, so repeating it is harmless
    status_forcelist=(429, 500, 502, 503, 504),
    backoff_factor=0.2,
    raise_on_status=False,
    retry_after_max=5,  # seconds; an answer may ask for hours
)


def connect() -> client.Configuration:
    """Configuration of the pod's service account, else of the kubeconfig; Refused when there is neither."""
    configuration = client.Configuration()
    try:
        with _complaints() as complaints:
            if "KUBERNETES_SERVICE_HOST" in os.environ:
                config.load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]  # client's gap
            else:
                config.load_kube_config(client_configuration=configuration)  # type: ignore[no-untyped-call]  # client's gap
        _keep_credentials(configuration)
        RESTClientObject(configuration)  # reads the proxy's address
    except KanfuncError:
        raise
    except Exception as error:  # a kubeconfig that is damaged makes the client fail in many ways
        raise _no_access(told(error)) from error
    if complaints:
        raise _no_access("the plugin (`exec`) of the kubeconfig gave no credentials")
    return tuned(configuration)


def _no_access(why: str) -> Refused:
    return Refused(
        f"no access to a Kubernetes API server: {why}",
        expected="a pod with a service account, or a kubeconfig",
        remedy="run in such a pod, or set KUBECONFIG; `kubectl get --raw /version` says more",
    )


@contextmanager
def _complaints() -> Iterator[list[str]]:
    """Modules that log an error meanwhile: of a plugin's failure the client tells nobody else."""
    found: list[str] = []
    listener = logging.Handler(logging.ERROR)
    listener.emit = lambda record: found.append(record.module)  # type: ignore[method-assign]
    root = logging.getLogger()
    root.addHandler(listener)
    try:
        yield found
    finally:
        root.removeHandler(listener)


def _keep_credentials(configuration: client.Configuration) -> None:
    """Make of them what kubectl makes: without the newline at a file's end. And remember never to tell them.

    The client reads them again when they expire, and then puts its own hook back: so this is done before each
    request, and the hook with it.
    """
    refresh = configuration.refresh_api_key_hook

    def refreshed(current: client.Configuration) -> None:
        if refresh:
            refresh(current)
        current.refresh_api_key_hook = refreshed  # type: ignore[assignment]  # None, says the client
        for key, value in current.api_key.items():
            current.api_key[key] = value.strip()
            keep_secret(*value.split())

    refreshed(configuration)
    keep_secret(configuration.password, parse_url(configuration.proxy or "").auth)
    keep_secret(*(parse_url(configuration.proxy or "").auth or "").split(":"))
    if configuration.password:
        keep_secret(*str(configuration.get_basic_auth_token()).split())
    if any(not _SENDABLE.fullmatch(value) for value in configuration.api_key.values()):
        raise _no_access("the token contains characters that an HTTP header cannot carry")


_SENDABLE = re.compile(r"[\x20-\x7e]*")


def tuned(configuration: client.Configuration) -> client.Configuration:
    """Itself, with what the client's defaults are too few for: repeats, and connections for our threads."""
    configuration.retries = _RETRIES
    configuration.connection_pool_maxsize = _CONNECTIONS
    return configuration


_BAD_REQUEST, _UNAUTHORIZED, _FORBIDDEN = 400, 401, 403
_NOT_FOUND, _CONFLICT, _GONE, _INVALID = 404, 409, 410, 422
_KINDS: Mapping[int, type[ApiFailed]] = {
    _UNAUTHORIZED: Forbidden,
    _FORBIDDEN: Forbidden,
    _NOT_FOUND: NotFound,
    _CONFLICT: Conflict,
    _GONE: WatchBroken,
    _INVALID: Conflict,
}


@contextmanager
def translated(doing: str) -> Iterator[None]:
    """Turn the client's errors into ours. A failed `test` of a JSON patch comes as 422."""
    try:
        yield
    except KanfuncError:
        raise
    except ApiException as error:
        raise _KINDS.get(status_of(error), ApiFailed)(
            f"could not {doing}: {told(error)}",
            remedy="check the API server and the service account's permissions",
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError) as error:
        if isinstance(error, urllib3.exceptions.HTTPError):
            raise _unreached(doing, error) from error
        raise ApiFailed(
            f"could not {doing}: the answer cannot be read ({told(error)})",
            remedy="see whether it is a Kubernetes API server that answers there, or a proxy",
        ) from error
    except Exception as error:  # of whatever the client and its plugins may raise
        raise _unreached(doing, error) from error


def _unreached(doing: str, error: Exception) -> ApiFailed:
    return ApiFailed(f"could not {doing}: {told(error)}", remedy="check that the API server can be reached")


def read(method: Callable[..., Any], *arguments: object, **options: object) -> tuple[Manifest, datetime]:
    """Plain JSON and the API server's clock, as it dates its answers (whole seconds).

    One shape for typed and custom objects, so that one parser serves both. The client's own models are not
    asked: they refuse objects that the API server has accepted.
    """
    response = method(*arguments, _request_timeout=REQUEST_SECONDS, _preload_content=False, **options)
    body = answered(response)
    date = parsedate_to_datetime(response.headers["Date"])
    return body, date if date.tzinfo else date.replace(tzinfo=UTC)


def answered(response: Any) -> Manifest:
    """The object in an answer that was not looked at yet; raises ApiException."""
    text = whole(response)
    if response.status >= _BAD_REQUEST:
        raise ApiException(status=response.status, body=text.decode(errors="replace"))
    return parsed(text)


def items(method: Callable[..., Any], *arguments: object, **options: object) -> Sequence[Manifest]:
    """The objects of a list, as plain JSON."""
    return listed(read(method, *arguments, **options)[0])


def listed(body: Manifest) -> Sequence[Manifest]:
    """What a list holds; TypeError where it is none of objects."""
    found = body["items"]
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise TypeError("no list of objects")
    return found


def items_if_known(method: Callable[..., Any], *arguments: object) -> Sequence[Manifest]:
    """Objects of a type that the API server may not know: then there are none."""
    try:
        return items(method, *arguments)
    except ApiException as error:
        if error.status != _NOT_FOUND:
            raise
        return ()


def follow(
    method: Callable[..., Any], arguments: tuple[object, ...], seconds: float, name: str | None = None
) -> Iterator[tuple[Mapping[str, Manifest], datetime]]:
    """List, then watch: all objects by name with the time of the reading, now and after each change.

    Ends after `seconds` (or sooner: call again); raises WatchBroken when the connection is cut or the
    server has forgotten our position.
    """
    selector = {"field_selector": f"metadata.name={name}"} if name else {}
    with translated("list"):
        body, date = read(method, *arguments, **selector)
        objects = {item["metadata"]["name"]: item for item in listed(body)}
        version = body["metadata"]["resourceVersion"]
    yield objects, date
    limit = max(1, int(min(seconds, _WATCH_SECONDS)))
    events = Watch().stream(  # type: ignore[no-untyped-call]  # client's gap
        method,
        *arguments,
        resource_version=version,
        timeout_seconds=limit,
        _request_timeout=(REQUEST_SECONDS, limit + REQUEST_SECONDS),
        **selector,
    )
    try:
        with translated("watch"):
            for event in events:
                manifest = event["raw_object"]
                if event["type"] == "DELETED":
                    objects.pop(manifest["metadata"]["name"], None)
                else:
                    objects[manifest["metadata"]["name"]] = manifest
                yield objects, date
    except ApiFailed as error:
        raise WatchBroken(error.found) from error
    finally:
        events.close()
