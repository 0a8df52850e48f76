"""No header, cookie, token or password in anything that is told, whatever goes wrong and whatever it says."""

import http.client
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
import urllib3
import websocket
import yaml
from kubernetes import client, config
from kubernetes.client import exceptions, rest
from kubernetes.config.config_exception import ConfigException

from kanfunc.domain.errors import KanfuncError
from kanfunc.domain.flavour import EDB
from kanfunc.gateways import kubeclient
from kanfunc.gateways.fleet import KubeFleet
from kanfunc.gateways.foreign import told
from kanfunc.gateways.kube import KubeApi
from kanfunc.gateways.podexec import PodExec
from kanfunc.gateways.surveyor import KubeSurveyor
from tests.builders import REF, cluster, healthy
from tests.commandline import Finished, kanfunc, python
from tests.lab.apiserver import ApiServer, Store

TOKEN, COOKIE, PASSWORD, KEY = "canary-of-token-1", "canary-of-cookie", "canary-of-proxy", "canary-of-key"
CANARY = f"Authorization: Bearer {TOKEN}; Set-Cookie: session={COOKIE}; https://me:{PASSWORD}@proxy {KEY}"


def clean(text: object) -> bool:
    return "canary" not in str(text)


def failure_of(call: Callable[[], object]) -> KanfuncError | None:
    try:
        call()
    except KanfuncError as failure:
        return failure
    return None


def told_by(failure: KanfuncError | None) -> str:
    if failure is None:
        return ""
    return f"{failure} {failure.found} {failure.expected} {failure.left} {failure.remedy} {failure.args}"


# ---- every exception of the libraries, at every call of ours

MODULES = [exceptions, urllib3.exceptions, websocket, http.client, ssl, socket, yaml, json, msgspec]
OTHERS = [
    ConfigException,
    OSError,
    ConnectionResetError,
    FileNotFoundError,
    PermissionError,
    TimeoutError,
    ValueError,
    KeyError,
    IndexError,
    TypeError,
    AttributeError,
    AssertionError,
    RuntimeError,
    RecursionError,
    LookupError,
    UnicodeDecodeError,
    UnicodeEncodeError,
    MemoryError,
    StopIteration,
    EOFError,
    Exception,
    ArithmeticError,
]


def classes() -> list[type[Exception]]:
    """What the libraries behind our calls can raise: found, not listed."""
    found: dict[str, type[Exception]] = {}
    for module in MODULES:
        for each in vars(module).values():
            if isinstance(each, type) and issubclass(each, Exception) and not issubclass(each, Warning):
                found[f"{each.__module__}.{each.__qualname__}"] = each
    found |= {each.__qualname__: each for each in OTHERS}
    return list(found.values())


def made(kind: type[Exception]) -> Exception:
    """One that is full of secrets: in whatever it takes, and in whatever it keeps."""
    error = _constructed(kind)
    for name in (
        "reason",
        "body",
        "headers",
        "data",
        "doc",
        "problem",
        "context",
        "note",
        "filename",
        "strerror",
        "resp_headers",
        "resp_body",
        "message",
        "msg",
        "library",
        "verify_message",
        "retry_history",
    ):
        try:
            setattr(error, name, CANARY)
        except (AttributeError, TypeError):
            continue
    error.__cause__ = error.__context__ = ValueError(CANARY)
    error.add_note(CANARY)
    return error


def _constructed(kind: type[Exception]) -> Exception:
    for number in (*range(1, 7), 0):
        try:
            return kind(*[CANARY] * number)
        except Exception:  # noqa: BLE001, S112 - the next number may do
            continue
    error = kind.__new__(kind)
    error.args = (CANARY,)
    return error


def calls(configuration: Any) -> dict[str, Callable[[], object]]:
    """Every way that we ask the API server."""
    api, pods = KubeApi(configuration), PodExec(configuration)
    fleet, surveyor = KubeFleet(configuration), KubeSurveyor(configuration)
    pod = healthy().world().instances[0]
    return {
        "read": lambda: api.cluster(REF),
        "list": lambda: api.clusters("prod", EDB),
        "world": lambda: api.world(REF),
        "patch": lambda: api.annotate(cluster(), {"a": "b"}),
        "label": lambda: api.label(REF, pod, {"a": "b"}),
        "watch": lambda: list(api.watch_cluster(REF, 1)),
        "snapshots": lambda: api.snapshots("prod"),
        "classes": lambda: api.without_snapshot_class(()),
        "others": lambda: api.other_pods(REF),
        "event": lambda: api.announce(cluster(), "Reason", "message"),
        "exec": lambda: pods.run("prod", "pg-1", ("true",), 1),
        "fleet": lambda: list(fleet.clusters(EDB, None)),
        "members": lambda: list(fleet.pods(EDB, "prod")),
        "policies": lambda: surveyor.policies("kasten-io"),
        "config": lambda: surveyor.config("kasten-io"),
        "watchers": surveyor.watchers,
        "schedules": lambda: surveyor.scheduled_backups(REF),
        "rights": lambda: surveyor.denied("system:serviceaccount:a:b", "prod", [("", "pods", "get")]),
    }


@pytest.fixture
def configuration() -> Any:
    found = client.Configuration(host="http://127.0.0.1:1")
    found.api_key["BearerToken"] = f"Bearer {TOKEN}"
    found.retries = urllib3.Retry(total=0)
    return found


@pytest.mark.parametrize("kind", classes(), ids=lambda kind: kind.__qualname__)
def test_no_exception_of_a_library_leaks_at_any_call(
    kind: type[Exception], configuration: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise made(kind)

    monkeypatch.setattr(rest.RESTClientObject, "request", fail)
    monkeypatch.setattr(websocket.WebSocket, "connect", fail)
    for name, call in calls(configuration).items():
        failure = failure_of(call)
        assert failure or name == "event", name
        assert clean(told_by(failure)), name
    monkeypatch.setattr(config, "load_kube_config", fail)
    with pytest.raises(KanfuncError) as refused:
        kubeclient.connect()
    assert clean(told_by(refused.value))


@pytest.mark.parametrize("kind", classes(), ids=lambda kind: kind.__qualname__)
def test_nor_within_another(kind: type[Exception]) -> None:
    retried = urllib3.exceptions.MaxRetryError(None, CANARY, None)  # type: ignore[arg-type]
    retried.reason = made(kind)
    for outer in (retried, Exception(made(kind))):
        assert clean(told(outer))
        assert told(outer)


def test_what_can_be_told_is_told() -> None:
    """Who reads it at three in the morning has to know more than a class."""
    refused = urllib3.exceptions.ProtocolError("aborted", ConnectionRefusedError(111, CANARY))
    assert told(refused) == "ProtocolError: Connection refused"
    with pytest.raises(yaml.YAMLError) as broken:
        yaml.safe_load(f"a:\n\t- {TOKEN}")
    assert told(broken.value) == "not valid YAML (line 2, column 1)"
    assert "certificate" in told(_untrusted())


def _untrusted() -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, CANARY)
    error.verify_message = "self-signed certificate"
    return error


# ---- a hostile server

ECHO = b"\x00echo\x00"
"""Where the request's own Authorization header goes."""
COOKIES = b"Set-Cookie: session=" + COOKIE.encode() + b"; HttpOnly\r\n"
DATE = b"Date: Mon, 23 Nov 2026 09:00:00 GMT\r\n"


def status_body(message: object, code: int = 403) -> bytes:
    return json.dumps({"kind": "Status", "apiVersion": "v1", "message": message, "code": code}).encode()


def answer(status: bytes, body: bytes = b"", headers: bytes = b"") -> bytes:
    length = b"Content-Length: %d\r\n" % len(body)
    return b"HTTP/1.1 " + status + b"\r\n" + DATE + COOKIES + headers + length + b"\r\n" + body


CODES = (400, 401, 403, 404, 407, 409, 418, 422, 500, 599)
PROXY = b"http://me:" + PASSWORD.encode() + b"@127.0.0.1:1/"
ANSWERS: dict[str, bytes] = {
    **{f"{code} echo": answer(b"%d " % code + ECHO, ECHO) for code in CODES},
    "status echo": answer(b"403 Forbidden", status_body("no: ECHO"), b"X-Echo: " + ECHO + b"\r\n"),
    "status of many words": answer(b"500 No", status_body("x" * 100_000 + CANARY)),
    "status without words": answer(b"403 No", status_body({"a": CANARY})),
    "redirect": answer(b"302 Found", b"", b"Location: " + PROXY + ECHO + b"\r\n"),
    "a page": answer(b"200 OK", b"<html>" + ECHO),
    "a list": answer(b"200 OK", b'["' + ECHO + b'"]'),
    "a word": answer(b"200 OK", b'"' + ECHO + b'"'),
    "an object of another kind": answer(
        b"200 OK", b'{"items": {"a": "' + ECHO + b'"}, "metadata": "' + ECHO + b'"}'
    ),
    "nested": answer(b"200 OK", b"[" * 100_000),
    "huge": answer(b"200 OK", b'{"items": "' + b"canary" * 500_000 + b'"}'),
    "huge refusal": answer(b"403 No", b"canary" * 500_000),
    "no date": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n" + COOKIES + b"\r\n{}",
    "odd date": answer(b"200 OK", b"{}").replace(DATE, b"Date: " + COOKIE.encode() + b"\r\n"),
    "no http": ECHO + b"\r\n\r\n",
    "odd status line": b"HTTP/1.1 abc " + ECHO + b"\r\n\r\n",
    "status beyond": answer(b"999 " + ECHO, ECHO),
    "status below": answer(b"099 " + ECHO, ECHO),
    "many headers": answer(b"200 OK", b"{}", b"".join(b"X-%d: %s\r\n" % (n, ECHO) for n in range(200))),
    "long header": answer(b"200 OK", b"{}", b"X: " + b"canary" * 20_000 + b"\r\n"),
    "injected header": answer(b"200 OK", b"{}", b"X: a\n b: " + ECHO + b"\r\nno colon " + ECHO + b"\r\n"),
    "cut": answer(b"200 OK", b'{"items": ["' + ECHO).replace(b"Content-Length: ", b"Content-Length: 9"),
    "odd chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n" + DATE + COOKIES + b"\r\n" + ECHO,
    "odd encoding": answer(b"200 OK", ECHO, b"Content-Encoding: gzip\r\n"),
    "retry": answer(b"429 No", ECHO, b"Retry-After: " + ECHO + b"\r\n"),
    "switching": answer(b"101 " + ECHO, b"", b"Upgrade: websocket\r\nSec-WebSocket-Accept: x\r\n"),
    "nothing": b"",
}


@contextmanager
def hostile(reply: bytes) -> Iterator[int]:
    """Answers whatever is asked with it, what was shown to it included; its port."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            with connection:
                asked = connection.recv(100_000)
                shown = next(
                    (line for line in asked.split(b"\r\n") if line.lower().startswith(b"authorization")), b""
                )
                said = reply.replace(ECHO, shown).replace(b"ECHO", shown)
                fixed = said if len(said) == len(reply) else _measured(said)
                try:
                    connection.sendall(fixed)
                except OSError:
                    continue

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield listening.getsockname()[1]
    listening.shutdown(socket.SHUT_RDWR)
    listening.close()
    thread.join()


def _measured(said: bytes) -> bytes:
    """With the length that the body has now, unless it lies on purpose."""
    head, _, body = said.partition(b"\r\n\r\n")
    lines = [
        b"Content-Length: %d" % len(body)
        if line.startswith(b"Content-Length: ") and b": 9" not in line[:17]
        else line
        for line in head.split(b"\r\n")
    ]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


@pytest.mark.parametrize("reply", ANSWERS.values(), ids=ANSWERS)
def test_no_server_makes_us_tell_what_it_was_shown(reply: bytes, configuration: Any) -> None:
    with hostile(reply) as port:
        configuration.host = f"http://127.0.0.1:{port}"
        kubeclient._keep_credentials(configuration)
        for name, call in calls(configuration).items():
            told = told_by(failure_of(call))
            assert clean(told), name
            assert len(told) < 10_000


# ---- as a process, with what a user's machine may hold


def kubeconfig(folder: Path, server: str, user: dict[str, Any], more: dict[str, Any] | None = None) -> Path:
    named = {"name": "lab"}
    file = folder / "kubeconfig"
    text = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "lab",
        "clusters": [{**named, "cluster": {"server": server} | (more or {})}],
        "users": [{**named, "user": user}],
        "contexts": [{**named, "context": {"cluster": "lab", "user": "lab"}}],
    }
    file.write_text(yaml.safe_dump(text), encoding="utf-8")
    return file


def plugin(folder: Path, script: str) -> dict[str, Any]:
    file = folder / "plugin"
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o700)
    return {"exec": {"command": str(file), "apiVersion": "client.authentication.k8s.io/v1"}}


def ended(finished: Finished) -> dict[str, Any]:
    """Its last line; nothing else may be there, and nothing secret."""
    assert clean(finished.stdout + finished.stderr), finished.stderr
    assert "Traceback" not in finished.stderr
    [line] = [json.loads(each) for each in finished.stderr.splitlines()]
    assert line["level"] == "error"
    assert line["next"]
    found: dict[str, Any] = line
    return found


@pytest.fixture
def server() -> Iterator[ApiServer]:
    with ApiServer(Store()) as server:
        yield server


@pytest.mark.parametrize("tail", ["\n", "\r\n", "\n\n", "  \n"])
def test_token_file_may_end_with_a_newline(tmp_path: Path, server: ApiServer, tail: str) -> None:
    (tmp_path / "token").write_text(TOKEN + tail)
    file = kubeconfig(tmp_path, server.url, {"tokenFile": str(tmp_path / "token")})
    line = ended(kanfunc("fence", "-n", "prod", KUBECONFIG=str(file)))
    assert "there is no Cluster in namespace prod" in line["found"]


CREDENTIAL = "client.authentication.k8s.io/v1"
USERS: dict[str, Callable[[Path], Any]] = {
    "a token of two lines": lambda folder: {"tokenFile": written(folder, f"{TOKEN}\nsecond-{TOKEN}\n")},
    "a token beyond a header": lambda _: {"token": f"{TOKEN}\u20ac"},
    "a token for a file's name": lambda _: {"tokenFile": TOKEN},
    "a plugin that fails": lambda folder: plugin(folder, f"echo '{CANARY}' >&2; exit 1"),
    "a plugin that writes no JSON": lambda folder: plugin(folder, f"echo '{CANARY}'"),
    "a plugin of another version": lambda folder: plugin(folder, credential(TOKEN, "{}")),
    "a plugin without a token": lambda folder: plugin(folder, credential(CREDENTIAL, f'{{"a": "{TOKEN}"}}')),
    "no plugin": lambda _: {"exec": {"command": f"/nowhere/{TOKEN}", "apiVersion": "v1"}},
    "an old provider": lambda _: provider("oidc", **{"id-token": f"a.{TOKEN}.c"}),
    "a command": lambda _: provider("gcp", **{"cmd-path": "/bin/false", "cmd-args": TOKEN}),
    "a user who is a word": lambda _: TOKEN,
}


def written(folder: Path, text: str) -> str:
    (folder / "token").write_text(text)
    return str(folder / "token")


def credential(version: str, status: str) -> str:
    return f"""echo '{{"apiVersion": "{version}", "kind": "x", "status": {status}}}'"""


def provider(name: str, **fields: str) -> dict[str, Any]:
    return {"auth-provider": {"name": name, "config": fields}}


@pytest.mark.parametrize("name", USERS)
def test_no_user_of_a_kubeconfig_is_told(tmp_path: Path, server: ApiServer, name: str) -> None:
    file = kubeconfig(tmp_path, server.url, USERS[name](tmp_path))
    failed = kanfunc("fence", "-n", "prod", KUBECONFIG=str(file))
    ended(failed)
    assert failed.returncode in {1, 3}


@pytest.mark.parametrize(
    "more",
    [
        {"proxy-url": f"http://me:{PASSWORD}@127.0.0.1:1"},
        {"proxy-url": f"http://me:{PASSWORD}@127.0.0.1:port"},
        {"proxy-url": f"ftp://me:{PASSWORD}@127.0.0.1:1"},
        {"proxy-url": f"socks5://me:{PASSWORD}@127.0.0.1:1"},
        {"proxy-url": f"me:{PASSWORD}"},
        {"server": f"http://me:{PASSWORD}@127.0.0.1:1/a"},
        {"server": f"http://me:{PASSWORD}@[::1"},
        {"server": "https://127.0.0.1:1", "certificate-authority-data": KEY},
        {"server": "https://127.0.0.1:1", "certificate-authority": f"/nowhere/{KEY}"},
        {"server": "https://127.0.0.1:1", "insecure-skip-tls-verify": True},
    ],
    ids=str,
)
def test_no_address_with_a_password_is_told(tmp_path: Path, more: dict[str, Any]) -> None:
    user = {"token": TOKEN, "client-certificate-data": KEY, "client-key-data": KEY}
    file = kubeconfig(tmp_path, "https://127.0.0.1:1", user, more)
    failed = kanfunc("status", "-A", KUBECONFIG=str(file))
    ended(failed)
    assert failed.returncode in {1, 3}


def test_no_damage_of_a_kubeconfig_tells_its_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A character put in, or the end cut off, anywhere around the token."""
    text = kubeconfig(tmp_path, "http://127.0.0.1:1", {"token": TOKEN}).read_text()
    at = text.index(TOKEN)
    damaged = [text[:place] for place in range(at - 12, at + len(TOKEN) + 2)]
    for place in (at - 8, at - 2, at, at + 5, at + len(TOKEN)):
        damaged += [text[:place] + sign + text[place:] for sign in "\t:{}[]\"'&*!|>%@`#\n\x00,?-"]
    file = tmp_path / "damaged"
    for each in damaged:
        file.write_text(each)
        monkeypatch.setattr(config.kube_config, "KUBE_CONFIG_DEFAULT_LOCATION", str(file))
        assert clean(told_by(failure_of(list_with_kubeconfig))), each


def list_with_kubeconfig() -> None:
    configuration = kubeclient.connect()
    configuration.retries = urllib3.Retry(total=0)
    KubeApi(configuration).clusters("prod", EDB)


# ---- a fault of ours

FAULTS = {
    "in a command": "from kanfunc.cli import app; import kanfunc.cli.status as at\ndef fail(*_, **__):\n    try: raise ValueError({0!r})\n    except ValueError as cause: raise RuntimeError({0!r}) from cause\nat.real_world = fail",  # noqa: E501
    "before it": "import kanfunc.cli as at\ndef fail(*_, **__): raise RuntimeError({0!r})\nat.Console = fail",
    "in a thread": "import threading, kanfunc.cli.status as at\ndef fail(*_, **__):\n    def work(): raise RuntimeError({0!r})\n    each = threading.Thread(target=work); each.start(); each.join(); raise RuntimeError({0!r})\nat.real_world = fail",  # noqa: E501
    "where nobody can raise": "import kanfunc.cli.status as at\nclass Odd:\n    def __del__(self): raise RuntimeError({0!r})\ndef fail(*_, **__):\n    Odd(); raise RuntimeError({0!r})\nat.real_world = fail",  # noqa: E501
    "in a library that logs": "import logging, warnings, kanfunc.cli.status as at\ndef fail(*_, **__):\n    logging.error({0!r}); logging.getLogger('urllib3').warning({0!r}); warnings.warn({0!r}); raise RuntimeError({0!r})\nat.real_world = fail",  # noqa: E501
}


@pytest.mark.parametrize("name", FAULTS)
def test_fault_of_ours_is_told_without_its_message(name: str) -> None:
    code = FAULTS[name].format(CANARY)
    start = "import sys; sys.argv = ['kanfunc', '--log-format', 'json', 'status', '-A']"
    failed = python("-c", f"{code}\n{start}\nfrom kanfunc.cli import main\nmain()")
    assert failed.returncode == 1
    assert clean(failed.stdout + failed.stderr), failed.stderr
    assert "RuntimeError" in failed.stderr
    if name == "before it":
        assert "kanfunc.process" in failed.stderr
    else:
        line = json.loads(failed.stderr.splitlines()[-1])
        assert (line["level"], line["exit"]) == ("error", 1)
        assert "failed unexpectedly" in line["found"]
        assert line["next"]
        assert any("kanfunc.cli.status" in place for place in line["way"])
