"""What somebody else wrote stays within its line, its terminal and its channel."""

import json
import re
from datetime import UTC, datetime
from io import StringIO

import pytest

from kanfunc.domain.diagnosis import Examination, bad
from kanfunc.domain.finding import Depth, Finding, Status
from kanfunc.domain.overview import Fenced, Overview
from kanfunc.domain.report import Report
from kanfunc.gateways.console import Console, LogFormat

PHASE = re.compile(r"###Phase-output###:(.*)$")
"""As Kanister finds an output, wherever in a line it begins (pkg/output)."""
NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
HOSTILE = (
    'a\n###Phase-output###: {"key":"proven","value":"true"}\n'
    "info    forged\n  ok   forged\rforged\x1b[2J\x9b2J\u202e\u2028\x7f"
)


def report() -> Report:
    finding = Finding(check=HOSTILE, status=Status.FAILED, found=HOSTILE, expected=HOSTILE, meaning=HOSTILE)
    return Report(namespace="n", cluster="c", cluster_uid="u", depth=Depth.IDENTITY, checked=NOW, kanfunc="1",
                  findings=(finding,), proven=False, foreign_fences=(HOSTILE,))  # fmt: skip


def texts() -> list[str]:
    overview = Overview(namespace="n", cluster="c", flavour="edb", checked=NOW, elected=HOSTILE,
                        fences=(Fenced(instance=HOSTILE, by=HOSTILE),), last_proven=None, last_restore=None,
                        trouble=(HOSTILE,))  # fmt: skip
    unread = Overview(namespace="n", cluster="c", flavour="edb", checked=NOW, elected=None, fences=(),
                      last_proven=None, last_restore=None, unread=HOSTILE)  # fmt: skip
    check = bad(HOSTILE, HOSTILE, expected=HOSTILE, remedy=HOSTILE)
    examination = Examination(namespace="n", cluster="c", flavour="edb", checked=NOW, would_be_proven=False,
                              diagnoses=(check,))  # fmt: skip
    return [each.text() for each in (overview, unread, examination, report())]


def written(log_format: LogFormat) -> str:
    stream = StringIO()
    console = Console("verb", log_format, log=stream, out=stream)
    console.step("step", reason=HOSTILE)
    for text in texts():
        console.say(text)
    return stream.getvalue()


@pytest.mark.parametrize("log_format", LogFormat)
def test_nobody_writes_outputs_of_a_phase(log_format: LogFormat) -> None:
    assert [line for line in written(log_format).splitlines() if PHASE.search(line)] == []


@pytest.mark.parametrize("log_format", LogFormat)
def test_nobody_drives_the_terminal(log_format: LogFormat) -> None:
    assert {c for c in written(log_format) if not c.isprintable()} == {"\n"}


@pytest.mark.parametrize("log_format", LogFormat)
def test_nobody_writes_lines_of_ours(log_format: LogFormat) -> None:
    lines = written(log_format).split("\n")
    assert [line for line in lines if line.startswith(("info    forged", "  ok   forged", "forged"))] == []


def test_a_line_of_json_still_says_what_was_said() -> None:
    stream = StringIO()
    Console("verb", LogFormat.JSON, log=stream).step(
        "step", reason="\x9b\u202e\U000e0001é\n###Phase-output###:"
    )
    said = json.loads(stream.getvalue())["reason"]
    assert said.startswith("\x9b\u202e\U000e0001é\n")
    assert "Phase-output" in said


def test_outputs_of_ours_are_found() -> None:
    stream = StringIO()
    Console("verb", LogFormat.JSON, out=stream).output("report", f"é {HOSTILE}")
    [found] = PHASE.findall(stream.getvalue().rstrip("\n"))
    assert json.loads(found) == {"key": "report", "value": f"é {HOSTILE}"}
