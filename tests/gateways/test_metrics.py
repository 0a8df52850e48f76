"""What monitoring reads: parsed back by Prometheus' own parser."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from prometheus_client.parser import text_string_to_metric_families

from kanfunc.domain.outcome import RestoreOutcome
from kanfunc.domain.record import State, Verdict
from kanfunc.domain.standing import Standing
from kanfunc.gateways.metrics import serve
from tests.builders import NOW, REF, proof, record

WHERE = {"namespace": REF.namespace, "cluster": REF.name}


@dataclass
class Still:
    """A watchdog that does nothing."""

    beat: float = 0.0
    breaks: int = 3
    ended: int = 2
    listed: set[str] = field(default_factory=set)
    standings: list[Standing] = field(default_factory=list)

    def watches(self) -> list[str]:
        return ["clusters", "pods"]


class Clock:
    now = 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None: ...


@dataclass
class Monitoring:
    watchdog: Still
    clock: Clock
    url: str

    def get(self, path: str) -> tuple[int, str]:
        try:
            with urlopen(self.url + path) as answer:  # noqa: S310 - our own server
                return answer.status, answer.read().decode()
        except HTTPError as error:
            return error.code, ""

    def samples(self, name: str) -> list[tuple[dict[str, str], float]]:
        families = text_string_to_metric_families(self.get("/metrics")[1])
        samples = (sample for family in families for sample in family.samples)
        return [(sample.labels, sample.value) for sample in samples if sample.name == name]


@pytest.fixture
def monitoring() -> Iterator[Monitoring]:
    watchdog, clock = Still(), Clock()
    server = serve(watchdog, clock, 0)
    yield Monitoring(watchdog, clock, f"http://127.0.0.1:{server.server_port}")
    server.shutdown()
    server.server_close()


def test_health_is_a_loop_that_turns(monitoring: Monitoring) -> None:
    assert monitoring.get("/healthz")[0] == 200
    monitoring.clock.now = 1000
    assert monitoring.get("/healthz")[0] == 503
    monitoring.watchdog.beat = 990
    assert monitoring.get("/healthz")[0] == 200


def test_ready_when_everything_was_seen_once(monitoring: Monitoring) -> None:
    assert monitoring.get("/readyz")[0] == 503
    monitoring.watchdog.listed |= {"clusters", "pods"}
    assert monitoring.get("/readyz")[0] == 200


def test_nothing_else_is_served(monitoring: Monitoring) -> None:
    assert monitoring.get("/")[0] == 404


def test_a_standing_fence_and_its_deadline(monitoring: Monitoring) -> None:
    standing = record(state=State.SEALED)
    monitoring.watchdog.standings = [Standing(REF, record=standing)]
    [(labels, value)] = monitoring.samples("kanfunc_fence_deadline_timestamp_seconds")
    assert labels == {**WHERE, "instance": standing.instance, "state": "sealed"}
    assert value == standing.deadline.timestamp()
    assert monitoring.samples("kanfunc_fence_started_timestamp_seconds") == [
        (labels, standing.started.timestamp())
    ]
    assert monitoring.samples("kanfunc_last_fence_verdict") == []


def test_the_last_backup_that_was_proven(monitoring: Monitoring) -> None:
    sealed = NOW - timedelta(hours=2)
    held = record(state=State.ENDED, verdict=Verdict.HELD, sealed=sealed, proof=proof())
    monitoring.watchdog.standings = [Standing(REF, record=held)]
    assert monitoring.samples("kanfunc_last_proven_backup_timestamp_seconds") == [(WHERE, sealed.timestamp())]
    assert monitoring.samples("kanfunc_last_fence_verdict") == [({**WHERE, "verdict": "held"}, 1)]
    assert monitoring.samples("kanfunc_fence_deadline_timestamp_seconds") == []
    broken = held.but(verdict=Verdict.BROKEN, before=held.last_proven)
    monitoring.watchdog.standings = [Standing(REF, record=broken)]
    assert monitoring.samples("kanfunc_last_proven_backup_timestamp_seconds") == [(WHERE, sealed.timestamp())]
    monitoring.watchdog.standings = [Standing(REF, record=broken.but(before=None))]
    assert monitoring.samples("kanfunc_last_proven_backup_timestamp_seconds") == []


def test_measures_of_the_last_fence_and_restore(monitoring: Monitoring) -> None:
    over = record(
        state=State.ENDED, fenced=NOW, ended=NOW + timedelta(seconds=40), proof=proof(replay_seconds=0.25)
    )
    restore = RestoreOutcome(cluster_uid="uid-cluster", proven=False, checked=NOW, reason="no mark")
    monitoring.watchdog.standings = [
        Standing(REF, record=over, restore=restore, protected_since=NOW, return_seconds=7)
    ]
    for name, value in {
        "kanfunc_last_fence_seconds": 40,
        "kanfunc_last_fence_lag_seconds": 0.25,
        "kanfunc_last_return_seconds": 7,
        "kanfunc_last_restore_proven": 0,
        "kanfunc_protected_since_timestamp_seconds": NOW.timestamp(),
    }.items():
        assert monitoring.samples(name) == [(WHERE, value)], name
    verified = "kanfunc_last_verified_restore_timestamp_seconds"
    assert monitoring.samples(verified) == []
    proven = RestoreOutcome(cluster_uid="uid-cluster", proven=True, checked=NOW)
    monitoring.watchdog.standings = [Standing(REF, restore=proven)]
    assert monitoring.samples(verified) == [(WHERE, NOW.timestamp())]


def test_dangers(monitoring: Monitoring) -> None:
    monitoring.watchdog.standings = [
        Standing(
            REF, primary_lost=True, bytes_at_stake=42, relic=True, failure="no", elected="pg-2", away=True
        )
    ]
    for name, value in {
        "kanfunc_primary_lost_while_fenced": 1,
        "kanfunc_bytes_at_stake": 42,
        "kanfunc_restore_unverified": 1,
        "kanfunc_look_failing": 1,
        "kanfunc_instance_not_streaming": 1,
    }.items():
        assert monitoring.samples(name) == [(WHERE, value)], name
    assert monitoring.samples("kanfunc_elected") == [({**WHERE, "instance": "pg-2"}, 1)]
    assert monitoring.samples("kanfunc_fences_expired_total") == [({}, 2)]
    assert monitoring.samples("kanfunc_watches_broken_total") == [({}, 3)]
