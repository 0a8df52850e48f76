"""Each pin of our sessions, taken out: what it keeps from being bent is bent then, and only then."""

import importlib
import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest

from tests.hostile.bench import Bench
from tests.hostile.odd import GERMAN
from tests.hostile.settings import Bend

pytestmark = pytest.mark.lab


OUR_RIGHTS, THEIRS = "role postgres", "role app"


@dataclass(frozen=True)
class Red:
    """A pin, a hostile value, for whom it is set, and an answer that it changes where nothing is pinned.

    bent: the setting that is set, where it is another one that bends us. major: the version that has it.
    """

    pin: str
    value: str
    answer: str
    who: str = OUR_RIGHTS
    bent: str = ""
    major: int = 15

    def __str__(self) -> str:
        return f"{self.pin}, {self.who}"


RED = (
    Red("search_path", "evil, public, pg_catalog", "survey"),
    Red("search_path", "evil, public, pg_catalog", "check extensions", THEIRS),
    Red("role", "app", "replication"),
    Red("DateStyle", "SQL, DMY", "facts"),
    Red("statement_timeout", "1", "survey"),
    Red("statement_timeout", "1", "check fingerprint", THEIRS),
    Red("transaction_timeout", "1", "survey", major=18),
    Red("idle_in_transaction_session_timeout", "1", "bound and replay"),
    Red("idle_in_transaction_session_timeout", "1", "check query", THEIRS),
    Red("idle_session_timeout", "1", "bound and replay"),
    Red("default_transaction_isolation", "serializable", "bound and replay"),
    Red("default_transaction_read_only", "on", "install"),
    Red("default_transaction_read_only", "on", "check login", THEIRS),
    Red("local_preload_libraries", "nope", "replication"),
    Red("local_preload_libraries", "nope", "check count", THEIRS),
    Red("session_preload_libraries", "nope", "replication"),
    Red("lc_messages", GERMAN, "install"),
    Red("exit_on_error", "on", "install"),
    Red("zero_damaged_pages", "on", "install"),
    Red("ignore_checksum_failure", "on", "install"),
    Red("quote_all_identifiers", "on", "survey"),
    Red("client_encoding", "LATIN1", "survey"),
    Red("synchronous_commit", "unreachable", "install", "server", bent="synchronous_standby_names"),
)
NAMED: dict[str, str] = {
    "event_triggers": "test_events.py",
    "session_replication_role": "test_events.py",
    "lock_timeout": "a lock is waited for only where somebody holds one: tests/scenarios/test_structure.py",
}
"""Pins that change none of these answers, and why they are there all the same."""


def pins() -> tuple[Any, ...]:
    try:
        found: tuple[Any, ...] = importlib.import_module("kanfunc.gateways.sessions").PINS
    except ModuleNotFoundError:
        return ()
    return found


@dataclass(frozen=True)
class Benches:
    """One for each version, made when it is first asked for, with what it answers before it is bent."""

    made: dict[int, tuple[Bench, dict[str, str]]]
    stack: ExitStack

    def of(self, major: int) -> tuple[Bench, dict[str, str]]:
        if major not in self.made:
            bench = self.stack.enter_context(Bench.open(major))
            self.made[major] = bench, dict(bench.answers())
        return self.made[major]


@pytest.fixture(scope="module")
def benches() -> Iterator[Benches]:
    with ExitStack() as stack:
        yield Benches({}, stack)


def test_every_pin_is_red_without_it_or_is_named() -> None:
    assert pins(), "there is no table of pins"
    shown = {red.pin for red in RED}
    assert {pin.setting for pin in pins()} == shown | NAMED.keys()
    assert not shown & NAMED.keys()


def without(command: tuple[str, ...], setting: str) -> tuple[str, ...]:
    """A script's command without that pin: one `-c name=value` of its text."""
    return tuple(_unpinned(word, setting) for word in command)


def _unpinned(word: str, setting: str) -> str:
    r"""A value ends with a space or a quote that has no backslash before it.

    >>> _unpinned(r"PGOPTIONS='-c search_path=pg_catalog,\ pg_temp -c role=none'", "search_path")
    "PGOPTIONS=' -c role=none'"
    """
    return re.sub(rf"-c {setting}=(?:\\.|[^\s'\"\\])*", "", word)


@pytest.mark.parametrize("red", RED, ids=str)
def test_what_a_pin_is_for(benches: Benches, red: Red) -> None:
    bench, clean = benches.of(red.major)
    try:
        assert not bench.bend(Bend(red.bent or red.pin, red.value, ""), red.who)
        assert bench.answer(red.answer) == clean[red.answer], "with the pin"
        bench.edit = lambda command: without(command, red.pin)
        assert bench.answer(red.answer) != clean[red.answer], "without it"
    finally:
        bench.edit = lambda command: command
        bench.straighten()
