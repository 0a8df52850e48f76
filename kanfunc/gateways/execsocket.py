"""The connection of a command in a pod. Nothing of it is without end: who answers may be a stranger, and what
a pod's programs write is its owner's. The client's own follows redirects, with our token, and waits and reads
for ever.
"""

import ssl
from socket import SHUT_RDWR
from time import monotonic
from typing import Any

import certifi
from kubernetes import client
from kubernetes.client.exceptions import ApiException
from kubernetes.stream import ws_client
from kubernetes.stream.ws_client import STDERR_CHANNEL
from websocket import WebSocket, WebSocketPayloadException, WebSocketTimeoutException

from kanfunc.gateways.cutting import cut_after

LONGEST = 16 << 20
"""Bytes that are held of a command's output."""
_PIECE = 1 << 20
"""Bytes after which lines are told, though more has come already."""
_SILENCE_SECONDS = 30.0
"""For connecting, and within a message."""
_COMPLAINTS = 4096
"""Bytes of standard error that are kept where the output is followed."""


class _Wire(WebSocket):
    """Ends at a time (of the monotonic clock), follows nobody elsewhere, and holds so much at most."""

    def __init__(self, ends: float, **options: Any) -> None:
        super().__init__(**options)
        self._ends, self._got = ends, 0

    def connect(self, url: str, **options: Any) -> None:
        """See WebSocket. A redirect is a failure: the request shows who we are."""
        # each byte of an answer may come within its time, and the whole never
        with cut_after(min(_SILENCE_SECONDS, self._left()), lambda: self.sock.shutdown(SHUT_RDWR)):  # type: ignore[union-attr]
            super().connect(url, timeout=_SILENCE_SECONDS, redirect_limit=0, **options)  # type: ignore[no-untyped-call]

    def recv_data_frame(self, control_frame: bool = False) -> Any:  # noqa: FBT001, FBT002 - the client's way
        """See WebSocket: one message, whatever it is made of."""
        self._got = 0
        return super().recv_data_frame(control_frame)

    def _recv(self, bufsize: int) -> Any:
        if self.sock is not None:
            self.sock.settimeout(min(self._left(), self.sock.gettimeout() or _SILENCE_SECONDS))
        received = super()._recv(bufsize)  # type: ignore[no-untyped-call]
        self._got += len(received)
        if self._got > LONGEST:
            raise WebSocketPayloadException("too long")
        return received

    def _left(self) -> float:
        left = self._ends - monotonic()
        if left <= 0:
            raise WebSocketTimeoutException("no end")
        return left


class ExecSocket(ws_client.WSClient):
    """The client's, over such a wire. Raises ApiException, whose context says why it cannot connect."""

    def __init__(self, configuration: client.Configuration, url: str, headers: Any, ends: float) -> None:
        self._connected, self.binary, self.newline = False, True, b"\n"
        self._channels: dict[int, bytes] = {}
        self._closed_channels: set[int] = set()
        self._all, self._returncode = ws_client._IgnoredIO(), None  # type: ignore[assignment]  # noqa: SLF001 - as the client makes it
        address = ws_client.get_websocket_url(url)  # type: ignore[no-untyped-call]
        self.sock = _Wire(ends, sslopt=_tls(configuration, address))
        header = [f"authorization: {headers['authorization']}"] if "authorization" in headers else []
        protocols = f"{ws_client.V5_CHANNEL_PROTOCOL},{ws_client.V4_CHANNEL_PROTOCOL}"
        options: dict[str, Any] = {"header": [*header, f"sec-websocket-protocol: {protocols}"]}
        if configuration.proxy or configuration.proxy_headers:
            options = ws_client.websocket_proxycare(options, configuration, address, headers)  # type: ignore[no-untyped-call]
        try:
            self.sock.connect(address, **options)
        except Exception as error:
            raise ApiException(status=0, reason="") from error
        told = {name.lower(): value for name, value in (self.sock.getheaders() or {}).items()}
        self.subprotocol = self.sock.subprotocol or told.get("sec-websocket-protocol")
        self._connected = True

    def update(self, timeout: float | None = 0) -> None:
        """See WSClient. Raises what the wire raises, and WebSocketPayloadException."""
        super().update(timeout)  # type: ignore[no-untyped-call]
        if self._held() > LONGEST:
            raise WebSocketPayloadException("too long")

    def forget_complaints(self) -> None:
        """All but the last of standard error."""
        if len(complaints := self._channels.get(STDERR_CHANNEL, b"")) > _COMPLAINTS:
            self._channels[STDERR_CHANNEL] = complaints[-_COMPLAINTS:]

    def _frames_immediately_available(self) -> bool:
        return self._held() < _PIECE and bool(super()._frames_immediately_available())  # type: ignore[no-untyped-call]

    def _held(self) -> int:
        return sum(map(len, self._channels.values()))


def _tls(configuration: client.Configuration, address: str) -> dict[str, Any]:
    """As the client makes it."""
    options: dict[str, Any] = {"cert_reqs": ssl.CERT_NONE}
    if address.startswith("wss://") and configuration.verify_ssl:
        options = {"cert_reqs": ssl.CERT_REQUIRED, "ca_certs": configuration.ssl_ca_cert or certifi.where()}
        if configuration.assert_hostname is not None:
            options["check_hostname"] = configuration.assert_hostname
    more = {
        "certfile": configuration.cert_file,
        "keyfile": configuration.key_file,
        "server_hostname": configuration.tls_server_name,
    }
    return options | {name: value for name, value in more.items() if value}
