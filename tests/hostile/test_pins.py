"""Each pin of our sessions, taken out: what it keeps from being bent is bent then, and only then."""

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from kanfunc.gateways import sessions
from kanfunc.gateways.sessions import PINS, Reach
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
    Red("role", "other", "check count", THEIRS),
    Red("local_preload_libraries", "nope", "replication"),
    Red("local_preload_libraries", "nope", "check count", THEIRS),
    Red("session_preload_libraries", "nope", "replication"),
    Red("constraint_exclusion", "on", "check sequences", THEIRS),
    Red("statement_timeout", "1", "survey"),
    Red("statement_timeout", "1", "check fingerprint", THEIRS),
    Red("idle_session_timeout", "1", "install"),
    Red("transaction_timeout", "1", "survey", major=18),
    Red("exit_on_error", "on", "install"),
    Red("exit_on_error", "on", "check shown", THEIRS),
    Red("default_transaction_read_only", "on", "install"),
    Red("default_transaction_read_only", "on", "check login", THEIRS),
    Red("default_transaction_isolation", "serializable", "bound and replay"),
    Red("synchronous_commit", "unreachable", "install", "server", bent="synchronous_standby_names"),
    Red("client_encoding", "LATIN1", "survey"),
    Red("lc_messages", GERMAN, "install"),
    Red("quote_all_identifiers", "on", "survey"),
    Red("quote_all_identifiers", "on", "check fingerprint", THEIRS),
    Red("DateStyle", "SQL, DMY", "facts"),
    Red("DateStyle", "SQL, DMY", "check fingerprint", THEIRS),
    Red("IntervalStyle", "iso_8601", "check fingerprint", THEIRS),
    Red("TimeZone", "Asia/Kathmandu", "check fingerprint", THEIRS),
    Red("bytea_output", "escape", "check fingerprint", THEIRS),
    Red("extra_float_digits", "-15", "check fingerprint", THEIRS),
    Red("lc_monetary", GERMAN, "check fingerprint", THEIRS),
    Red("xmlbinary", "hex", "check xml", THEIRS),
    Red("zero_damaged_pages", "on", "install"),
    Red("ignore_checksum_failure", "on", "install"),
)
_WAITS = "a lock is waited for only where somebody holds one: tests/scenarios/test_structure.py"
_COST = "what a look may cost changes no answer: docs/performance.md"
NAMED: dict[str, str] = {
    "event_triggers": "test_events.py",
    "session_replication_role": "test_events.py",
    "idle_in_transaction_session_timeout": "we idle too briefly: tests/client/test_hostile.py does it longer",
    "lock_timeout": _WAITS,
    "client_connection_check_interval": _WAITS,
    "client_min_messages": "test_warnings.py",
    "jit": _COST,
    "max_parallel_workers_per_gather": _COST,
}
"""Pins that change none of these answers, and why they are there all the same."""


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
    shown = {red.pin for red in RED}
    assert {pin.setting for pin in PINS} == shown | NAMED.keys()
    assert not shown & NAMED.keys()


@pytest.mark.parametrize("major", [15, 18])
def test_who_may_set_a_pin_and_since_when_is_what_the_server_says(benches: Benches, major: int) -> None:
    """A plain user over the network would be denied the connection for what only superusers may set."""
    server = benches.of(major)[0].primary
    contexts = dict(server.sql("select name, context from pg_settings"))
    there = {pin.setting for pin in PINS if pin.since <= major} - {"role", "session_replication_role"}
    assert there <= contexts.keys() | {"role"}
    assert {pin.setting for pin in PINS if pin.since > major}.isdisjoint(contexts)
    superusers = {name for name in there if contexts[name] == "superuser"}
    assert superusers == {pin.setting for pin in PINS if pin.superuser and pin.setting in there}
    assert not [pin for pin in PINS if pin.superuser and Reach.NETWORK in pin.reach]


def without(command: tuple[str, ...], setting: str) -> tuple[str, ...]:
    """A script's command without that pin: its `name=value` after `pin`, wherever the script has one."""
    return tuple(_unpinned(word, setting) for word in command)


def _unpinned(word: str, setting: str) -> str:
    """Between quotes where there is a space in the value.

    >>> _unpinned("pin a=b 'c=d e' f=", "c"), _unpinned('pin c="${2}s"', "c"), _unpinned("pin a=b", "c")
    ('pin a=b f=', 'pin', 'pin a=b')
    """
    return re.sub(rf" (?:'{setting}=[^']*'|{setting}=(?:\"[^\"]*\"|[^\s\"])*)", "", word)


@pytest.fixture
def unpinned(benches: Benches) -> Iterator[Callable[[Red], None]]:
    """To take one pin out of the sessions in pods and over the network."""
    with pytest.MonkeyPatch.context() as patch:

        def take_out(red: Red) -> None:
            benches.of(red.major)[0].edit = lambda command: without(command, red.pin)
            patch.setattr(sessions, "PINS", tuple(pin for pin in PINS if pin.setting != red.pin))

        yield take_out
    for bench, _ in benches.made.values():
        bench.edit = lambda command: command


@pytest.mark.parametrize("red", RED, ids=str)
def test_what_a_pin_is_for(benches: Benches, red: Red, unpinned: Callable[[Red], None]) -> None:
    bench, clean = benches.of(red.major)
    if red.value == GERMAN and not bench.locales:
        pytest.skip("no German locale can be made (Debian: locales)")
    try:
        assert not bench.bend(Bend(red.bent or red.pin, red.value, ""), red.who)
        assert bench.answer(red.answer) == clean[red.answer], "with the pin"
        unpinned(red)
        assert bench.answer(red.answer) != clean[red.answer], "without it"
    finally:
        bench.straighten()
