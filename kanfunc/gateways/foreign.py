"""The one place where an exception of somebody else becomes text of ours.

Their messages quote headers (http.client, websocket), whole responses with their cookies (kubernetes), lines
of a kubeconfig (yaml), a plugin's output, URLs with passwords (urllib3). So no message is passed on: of each
type that is known the fields that cannot hold a secret, of all others the name of the class.
"""

import errno
import os
import re
import socket
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from http import HTTPStatus
from json import JSONDecodeError, loads
from typing import Any

import msgspec
import urllib3.exceptions as http
import websocket
import yaml
from kubernetes.client.exceptions import ApiException
from kubernetes.config.config_exception import ConfigException

from kanfunc.gateways.secrecy import without_parts, without_secrets

_MESSAGE = 1000
"""Characters of an API server's message that are told."""
_HANDSHAKE = 0
"""The status that the client gives to whatever goes wrong while it connects a command."""
_DEEPEST = 6
"""Exceptions within exceptions that are followed."""
_INVALID_CONFIG = re.compile(r"Invalid kube-config file\. (Expected key [A-Za-z-]+|No configuration found)")
_CERTIFICATES = re.compile(r"[A-Za-z0-9 '(),.:*_-]{1,300}")
_LIBRARY_REASON = re.compile(r"[A-Z0-9_]{1,60}")
_UNSHAPED = re.compile(
    r"(Expected `[^`]{1,60}`, got `[a-z]{1,20}`|Object missing required field `\w+`)"
    r"( - at `[\w$.\[\]]{1,200}`)?"
)
_HOST = re.compile(r"[A-Za-z0-9.:_-]{1,255}")
_ADDRESS_ERRORS = {getattr(socket, name): name for name in dir(socket) if name.startswith("EAI_")}


def told(error: BaseException) -> str:
    """What may be known of it.

    >>> told(ValueError("Invalid header value b'Bearer secret'"))
    'ValueError'
    >>> told(ConnectionRefusedError(111, "secret"))
    'Connection refused'
    """
    return ": ".join(dict.fromkeys(_parts(error)))


def status_of(error: ApiException) -> int:
    """The HTTP status; that of a refused handshake stands in what the client has caught."""
    caught = error.__context__
    if isinstance(caught, websocket.WebSocketBadStatusException):
        status: object = caught.status_code
        return status if isinstance(status, int) else _HANDSHAKE
    return error.status if isinstance(error.status, int) else _HANDSHAKE


def message_of(error: ApiException) -> str:
    """What the API server says, if it is one: the message of its Status. Else the name of the HTTP status."""
    caught = error.__context__
    body = caught.resp_body if isinstance(caught, websocket.WebSocketBadStatusException) else error.body
    if message := _message(body):
        return message
    status = status_of(error)
    if status == _HANDSHAKE and caught is not None:
        return told(caught)
    return HTTPStatus(status).phrase if status in set(HTTPStatus) else "an unknown HTTP status"


def _parts(error: BaseException) -> Iterator[str]:
    for _ in range(_DEEPEST):
        yield _describe(error)
        within = _within(error)
        if within is None:
            return
        error = within


def _describe(error: BaseException) -> str:
    """Of a known type what is known of it, unless it was made without that."""
    for kind, describe in _KNOWN.items():
        if isinstance(error, kind):
            with suppress(AttributeError, TypeError, ValueError):
                return describe(error)
    return type(error).__name__


def _within(error: BaseException) -> BaseException | None:
    """The exception that it was made of, as the libraries keep it."""
    kept = (getattr(error, "reason", None), getattr(error, "original_error", None), error.__cause__)
    found = (each for each in (*kept, *error.args) if isinstance(each, BaseException))
    return next(found, None)


def _api(error: ApiException) -> str:
    return f"{status_of(error) or 'no answer'} {message_of(error)}"


def _message(body: object) -> str:
    try:
        status = loads(body) if isinstance(body, str | bytes) else None
    except (ValueError, RecursionError):
        return ""
    if not isinstance(status, dict) or status.get("kind") != "Status":
        return ""
    message = status.get("message")
    return clean(message) if isinstance(message, str) else ""


def clean(message: str) -> str:
    """A server's words: short, on one line, without secrets."""
    return without_secrets(one_line(message))[:_MESSAGE]


def one_line(message: str, most: int = 4 * _MESSAGE) -> str:
    """The beginning of words of somebody else, without secrets that we have shown him."""
    some = message[: 2 * most]
    return without_parts(" ".join("".join(c if c.isprintable() else " " for c in some).split()))[:most]


def _os(error: OSError) -> str:
    """By its number: a message may be anything."""
    if isinstance(error, ssl.SSLError):
        return _tls(error)
    if isinstance(error, socket.gaierror):
        return f"the name cannot be resolved ({_ADDRESS_ERRORS.get(error.errno or 0, 'unknown reason')})"
    if isinstance(error, TimeoutError):
        return "timed out"
    known = isinstance(error.errno, int) and error.errno in errno.errorcode
    return os.strerror(error.errno or 0) if known else type(error).__name__


def _tls(error: ssl.SSLError) -> str:
    verified = getattr(error, "verify_message", None)
    if isinstance(verified, str) and _CERTIFICATES.fullmatch(verified):
        return f"the certificate was not accepted: {verified}"
    reason = str(error.reason or "")
    return f"TLS failed: {reason}" if _LIBRARY_REASON.fullmatch(reason) else "TLS failed"


def _pool(error: Any) -> str:
    """With the address that was tried: of the API server, or of its proxy."""
    pool = error.conn if isinstance(error, http.NewConnectionError) else getattr(error, "pool", None)
    host, port = getattr(pool, "host", None), getattr(pool, "port", None)
    if isinstance(host, str) and _HOST.fullmatch(host) and isinstance(port, int):
        return f"{type(error).__name__} at {host}:{port}"
    return type(error).__name__


def _yaml(error: yaml.MarkedYAMLError) -> str:
    mark = error.problem_mark or error.context_mark
    return f"not valid YAML (line {mark.line + 1}, column {mark.column + 1})" if mark else "not valid YAML"


def _config(error: ConfigException) -> str:
    found = _INVALID_CONFIG.match(str(error))
    return f"invalid kubeconfig: {found[1]}" if found else type(error).__name__


def _shape(error: msgspec.ValidationError) -> str:
    return str(error) if _UNSHAPED.fullmatch(str(error)) else type(error).__name__


_KNOWN: Mapping[type[BaseException], Callable[[Any], str]] = {
    ApiException: _api,
    websocket.WebSocketBadStatusException: lambda e: f"HTTP {int(e.status_code)} in the WebSocket handshake",
    http.MaxRetryError: _pool,
    http.NewConnectionError: _pool,
    http.NameResolutionError: _pool,
    http.ConnectTimeoutError: _pool,
    http.ReadTimeoutError: _pool,
    OSError: _os,
    JSONDecodeError: lambda e: f"not valid JSON (line {e.lineno}, column {e.colno})",
    yaml.MarkedYAMLError: _yaml,
    ConfigException: _config,
    msgspec.ValidationError: _shape,
    RecursionError: lambda _: "nested too deeply",
}
"""The first that fits, in this order."""
