import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from kanfunc.domain.lsn import Lsn
from kanfunc.gateways import secrecy
from kanfunc.gateways.console import Console, LogFormat, SystemClock
from tests.builders import NOW


class Streams:
    """A console and what it has written."""

    def __init__(self, log_format: LogFormat) -> None:
        self.log, self.out = StringIO(), StringIO()
        self.console = Console("fence", log_format, log=self.log, out=self.out)

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.getvalue().splitlines()]


def test_json_is_one_line_per_step() -> None:
    streams = Streams(LogFormat.JSON)
    streams.console.step("cold", cluster="prod/pg", end_of_wal=Lsn(0x98E4300), deadline=NOW, left=None)
    streams.console.warn("two\nlines", reason='a "quoted"\nreason')
    streams.console.fail("Refused", exit=3)
    step, warning, failure = streams.lines()
    assert (step["level"], step["verb"], step["step"]) == ("info", "fence", "cold")
    assert (step["end_of_wal"], step["deadline"]) == ("0/98E4300", "2026-11-23T09:00:00Z")
    assert (warning["level"], warning["step"], warning["reason"]) == (
        "warning",
        "two\nlines",
        'a "quoted"\nreason',
    )
    assert (failure["level"], failure["exit"]) == ("error", 3)
    assert datetime.fromisoformat(step["time"]).tzinfo == UTC


def test_text_leaves_out_what_is_empty() -> None:
    streams = Streams(LogFormat.TEXT)
    streams.console.fail("Refused", found="x", expected="", left=None, exit=0)
    assert streams.log.getvalue() == "error   Refused\n    found: x\n    exit: 0\n"


@pytest.mark.parametrize("value", ["true", "", 'a "b"\n###Phase-output###: {}', "é", '{"json":["x"]}'])
def test_phase_output_is_one_line_as_kanister_reads_it(value: str) -> None:
    streams = Streams(LogFormat.TEXT)
    streams.console.output("fenceId", value)
    (line,) = streams.out.getvalue().splitlines()
    prefix, _, text = line.partition(" ")
    assert prefix == "###Phase-output###:"
    assert json.loads(text) == {"key": "fenceId", "value": value}
    assert streams.log.getvalue() == ""


def test_text_for_people_goes_to_the_output() -> None:
    streams = Streams(LogFormat.JSON)
    streams.console.say("prod/pg: PROVEN")
    assert (streams.out.getvalue(), streams.log.getvalue()) == ("prod/pg: PROVEN\n", "")


def test_clock_goes_on() -> None:
    clock = SystemClock()
    begun = clock.monotonic()
    clock.sleep(0.01)
    assert begun + 0.01 <= clock.monotonic() <= monotonic()


def test_lines_of_several_threads_do_not_mix(tmp_path: Path) -> None:
    with (tmp_path / "log").open("w") as log:
        console = Console("fence", LogFormat.JSON, log=log)
        with ThreadPoolExecutor(8) as pool:
            for number in range(400):
                pool.submit(console.step, "decided", number=number, filling="x" * 5000)
    lines = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert sorted(line["number"] for line in lines) == list(range(400))


@pytest.mark.parametrize("log_format", list(LogFormat))
def test_what_cannot_be_written_and_what_must_not_be_told(
    log_format: LogFormat, monkeypatch: pytest.MonkeyPatch
) -> None:
    """JSON may hold half a pair of surrogates; a server may repeat what it was shown."""
    monkeypatch.setattr(secrecy, "_kept", set())
    secrecy.keep_secret("canary-of-token", "short", None)
    log, out = StringIO(), StringIO()
    console = Console("test", log_format, log=log, out=out)
    console.warn("odd", reason="\ud800 canary-of-token short")
    console.say("\ud800 canary-of-token")
    console.output("key", "\ud800 canary-of-token")
    told = log.getvalue() + out.getvalue()
    assert told.encode()
    assert "canary" not in told
    assert "short" in told
