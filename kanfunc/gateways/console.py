"""Where the story is told: one line per step on standard error, phase outputs on standard output."""

import json
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import TextIO

from kanfunc.domain.codec import encode

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
        self._out.write(f"{_PHASE_OUTPUT} {text}\n")
        self._out.flush()

    def say(self, text: str) -> None:
        """Text for people, on standard output."""
        self._out.write(f"{text}\n")
        self._out.flush()

    def _write(self, level: str, name: str, fields: Mapping[str, object]) -> None:
        if self._format is LogFormat.JSON:
            now = datetime.now(UTC)  # noqa: TID251 - a log line carries the time of its writing
            line = {"time": now.isoformat(timespec="milliseconds"), "level": level, "verb": self._verb}
            self._log.write(encode({**line, "step": name, **fields}) + "\n")
        else:
            details = "".join(
                f"\n    {key}: {value}" for key, value in fields.items() if value not in ("", None)
            )
            self._log.write(f"{level:7} {name}{details}\n")
        self._log.flush()


class SystemClock:
    """Clock of this machine."""

    def monotonic(self) -> float:
        """See Clock."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """See Clock."""
        time.sleep(seconds)  # noqa: TID251 - the one place behind the Clock port
