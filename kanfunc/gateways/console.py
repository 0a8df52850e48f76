"""Where the story is told: one line per step on standard error, phase outputs on standard output."""

import json
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import TextIO

from kanfunc.domain.codec import encode
from kanfunc.gateways.secrecy import without_kept

_PHASE_OUTPUT = "###Phase-output###:"
"""Kanister reads `###Phase-output###: {"key": ..., "value": ...}` from a pod's log (pkg/output)."""


class LogFormat(StrEnum):
    """For machines, or for people."""

    JSON = "json"
    TEXT = "text"


class Console:
    """Journal of one process. Every line is one write, so that lines of several threads do not mix."""

    def __init__(
        self, verb: str, log_format: LogFormat, *, log: TextIO = sys.stderr, out: TextIO = sys.stdout
    ) -> None:
        self._verb = verb
        self._format = log_format
        self._log = log
        self._out = out

    def step(self, name: str, **fields: object) -> None:
        """See Journal."""
        self._write("info", name, fields)

    def warn(self, name: str, **fields: object) -> None:
        """See Journal."""
        self._write("warning", name, fields)

    def fail(self, name: str, **fields: object) -> None:
        """The last line of a run that did not succeed."""
        self._write("error", name, fields)

    def output(self, key: str, value: str) -> None:
        """See Journal."""
        text = json.dumps({"key": key, "value": value}, separators=(",", ":"))
        _tell(self._out, text, head=f"{_PHASE_OUTPUT} ")

    def say(self, text: str) -> None:
        """Text for people, on standard output."""
        _tell(self._out, text)

    def _write(self, level: str, name: str, fields: Mapping[str, object]) -> None:
        if self._format is LogFormat.JSON:
            now = datetime.now(UTC)  # noqa: TID251 - a log line carries the time of its writing
            line = {"time": now.isoformat(timespec="milliseconds"), "level": level, "verb": self._verb}
            _tell(
                self._log, encode({**line, "step": name, **{key: _sayable(v) for key, v in fields.items()}})
            )
        else:
            details = "".join(
                f"\n    {key}: {_indented(value)}" for key, value in fields.items() if value not in ("", None)
            )
            _tell(self._log, f"{level:7} {name}{details}")


def _sayable(value: object) -> object:
    """Half a pair of surrogates, which JSON may hold, is no text that could be written."""
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value


def _indented(value: object) -> str:
    """Its further lines are none of ours."""
    return str(value).replace("\n", "\n    ")


def _tell(stream: TextIO, text: str, *, head: str = "") -> None:
    """One write, without anything that we keep secret, whoever has said it.

    What others said is no output for Kanister, wherever in a line it stands, and nothing that a terminal
    obeys: both are written as JSON may write them.
    """
    said = str(_sayable(without_kept(text))).replace(_PHASE_OUTPUT, _PHASE_OUTPUT.replace("-", "\\u002d"))
    stream.write(head + "".join(c if c.isprintable() or c == "\n" else _escaped(c) for c in said) + "\n")
    stream.flush()


def _escaped(character: str) -> str:
    return json.dumps(character)[1:-1] if character != "\x7f" else "\\u007f"


class SystemClock:
    """Clock of this machine."""

    def monotonic(self) -> float:
        """See Clock."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """See Clock."""
        time.sleep(seconds)  # noqa: TID251 - the one place behind the Clock port
