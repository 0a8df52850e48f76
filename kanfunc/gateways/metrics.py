"""What monitoring sees of the watchdog: /metrics in Prometheus' format, and its health."""

import socket
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import suppress
from threading import Thread
from typing import Any, Protocol
from wsgiref.simple_server import WSGIServer, make_server

from prometheus_client import CollectorRegistry, make_wsgi_app
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import ThreadingWSGIServer, _SilentHandler
from prometheus_client.registry import Collector

from kanfunc import __version__
from kanfunc.domain.standing import Standing
from kanfunc.ports import Clock

_CLUSTER = ("namespace", "cluster")
_HANGS_SECONDS = 120.0
_CONNECTIONS, _SILENCE_SECONDS = 32, 10
"""At once, and for how long one may say nothing."""
_LABEL = 253
"""Characters: the longest name of an object. A record may name anything."""


class Watched(Protocol):
    """What the watchdog shows of itself."""

    beat: float
    breaks: int
    listed: set[str]

    @property
    def standings(self) -> list[Standing]:
        """All clusters that concern us."""

    @property
    def ended(self) -> int:
        """Fences that it ended."""

    def watches(self) -> Collection[str]:
        """Names of what it follows."""


class Metrics(Collector):
    """Made anew at each scrape from what the watchdog knows."""

    def __init__(self, watchdog: Watched) -> None:
        self._watchdog = watchdog

    def collect(self) -> Iterator[Metric]:
        """All metrics. Timestamps are Unix seconds by the API server's clock."""
        watchdog, standings = self._watchdog, self._watchdog.standings
        build = GaugeMetricFamily("kanfunc_build", "The version that runs.", labels=["version"])
        build.add_metric([__version__], 1)
        yield build
        yield CounterMetricFamily("kanfunc_watches_broken", "Watches that broke.", value=watchdog.breaks)
        yield CounterMetricFamily("kanfunc_fences_expired", "Fences ended here.", value=watchdog.ended)
        yield from _fences(standings)
        yield from _values(standings)
        elected = GaugeMetricFamily("kanfunc_elected", "Who is elected.", labels=[*_CLUSTER, "instance"])
        for each in standings:
            if each.elected:
                elected.add_metric([each.ref.namespace, each.ref.name, each.elected], 1)
        yield elected


def _fences(standings: Iterable[Standing]) -> Iterator[Metric]:
    labels = [*_CLUSTER, "instance", "state"]
    started = GaugeMetricFamily(
        "kanfunc_fence_started_timestamp_seconds", "When a standing fence was announced.", labels=labels
    )
    deadline = GaugeMetricFamily(
        "kanfunc_fence_deadline_timestamp_seconds", "When a standing fence ends at the latest.", labels=labels
    )
    verdict = GaugeMetricFamily(
        "kanfunc_last_fence_verdict", "How the last fence ended.", labels=[*_CLUSTER, "verdict"]
    )
    for each in standings:
        record, where = each.record, [each.ref.namespace, each.ref.name]
        if record is not None and record.live:
            started.add_metric([*where, record.instance[:_LABEL], record.state], record.started.timestamp())
            deadline.add_metric([*where, record.instance[:_LABEL], record.state], record.deadline.timestamp())
        if record is not None and record.verdict is not None:
            verdict.add_metric([*where, record.verdict], 1)
    yield from (started, deadline, verdict)


def _proven_at(standing: Standing) -> float | None:
    proven = standing.record.last_proven if standing.record else None
    return proven.sealed.timestamp() if proven else None


def _lag(standing: Standing) -> float | None:
    proof = standing.record.proof if standing.record else None
    return proof.replay_seconds if proof else None


_VALUES: dict[str, tuple[str, Callable[[Standing], float | None]]] = {
    "kanfunc_protected_since_timestamp_seconds": (
        "When a Cluster that asks to be backed up was made; none while it is hibernated.",
        lambda each: each.protected_since.timestamp() if each.protected_since else None,
    ),
    "kanfunc_last_proven_backup_timestamp_seconds": ("Seal of the last fence that held.", _proven_at),
    "kanfunc_last_fence_seconds": (
        "How long the last fence kept its instance stopped.",
        lambda each: each.record.fenced_seconds if each.record else None,
    ),
    "kanfunc_last_fence_lag_seconds": ("How long the replica took to replay the last fence's bound.", _lag),
    "kanfunc_last_return_seconds": (
        "From the end of the last fence until its instance was seen to stream.",
        lambda each: each.return_seconds,
    ),
    "kanfunc_instance_not_streaming": (
        "1: the last fence is over, and its instance does not stream.",
        lambda each: float(each.away),
    ),
    "kanfunc_last_verified_restore_timestamp_seconds": (
        "When verify-restore ran last on this incarnation, where it proved the restore.",
        lambda each: each.restore.checked.timestamp() if each.restore and each.restore.proven else None,
    ),
    "kanfunc_last_restore_proven": (
        "1: it proved the restore, 0: it did not.",
        lambda each: float(each.restore.proven) if each.restore else None,
    ),
    "kanfunc_restore_unverified": (
        "1: the cluster was restored with a record, and verify-restore has not run.",
        lambda each: float(each.relic),
    ),
    "kanfunc_primary_lost_while_fenced": (
        "1: nobody leads while an instance is fenced.",
        lambda each: float(each.primary_lost),
    ),
    "kanfunc_bytes_at_stake": (
        "WAL that the lost primary had and the fenced instance has not.",
        lambda each: each.bytes_at_stake,
    ),
    "kanfunc_look_failing": (
        "1: the last look at the cluster failed; the log says why.",
        lambda each: float(bool(each.failure)),
    ),
}


def _values(standings: Iterable[Standing]) -> Iterator[Metric]:
    for name, (help_text, value_of) in _VALUES.items():
        metric = GaugeMetricFamily(name, help_text, labels=_CLUSTER)
        for each in standings:
            if (value := value_of(each)) is not None:
                metric.add_metric([each.ref.namespace, each.ref.name], value)
        yield metric


class _Handler(_SilentHandler):
    timeout = _SILENCE_SECONDS


class _Server(ThreadingWSGIServer):
    """Whoever reaches the port may connect and say nothing: files and threads of ours are not his."""

    request_queue_size = 64
    address_family = socket.AF_INET6 if socket.has_dualstack_ipv6() else socket.AF_INET

    def server_bind(self) -> None:
        """Serve both families, whichever the pod has."""
        if self.address_family == socket.AF_INET6:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        super().server_bind()
        self._open: deque[socket.socket] = deque()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer it in a thread; where there are too many, the oldest one is hung up on."""
        self._open.append(request)
        if len(self._open) > _CONNECTIONS:
            with suppress(IndexError, OSError):
                self._open.popleft().shutdown(socket.SHUT_RDWR)
        super().process_request(request, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Who hangs up is no news; Python would print it beside our log, whose lines are JSON."""

    def shutdown_request(self, request: Any) -> None:
        """It was answered."""
        with suppress(ValueError):
            self._open.remove(request)
        super().shutdown_request(request)


def serve(watchdog: Watched, clock: Clock, port: int) -> WSGIServer:
    """Serve /metrics, /healthz (its loop turns) and /readyz (it has seen everything once) in a thread.

    port 0 takes any free one. Raises OSError where the port is taken.
    """
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Metrics(watchdog))
    metrics = make_wsgi_app(registry)
    checks = {
        "/healthz": lambda: clock.monotonic() - watchdog.beat < _HANGS_SECONDS,
        "/readyz": lambda: watchdog.listed >= set(watchdog.watches()),
    }

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path == "/metrics":
            try:
                return list(metrics(environ, start_response))
            except Exception:  # noqa: BLE001 - the server would print its message
                start_response("500 Internal Server Error", [("Content-Type", "text/plain")])
                return [b"the metrics cannot be written\n"]
        status = "404 Not Found"
        if path in checks:
            status = "200 OK" if checks[path]() else "503 Service Unavailable"
        start_response(status, [("Content-Type", "text/plain")])
        return [status.encode() + b"\n"]

    server = make_server("", port, app, _Server, handler_class=_Handler)
    Thread(target=server.serve_forever, name="metrics", daemon=True).start()
    return server
