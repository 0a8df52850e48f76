"""How each session of ours with a database begins: no setting of the server, a database or a role bends it.

The owner of a database chooses most settings of every session in it, the superuser's included, and may put
functions and operators before PostgreSQL's own (the class of CVE-2018-1058). Each setting that could run
something of theirs, or change or end an answer of ours, is pinned here. In pods the pins are PGOPTIONS, which
beat ALTER ROLE and ALTER DATABASE, act before the first statement, and reach pg_amcheck. Over the network
they are startup options, and `SET LOCAL` before each question: a pooler drops options and hands sessions on,
and what an owner has attached to the table of the question before may have set anything.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Flag, auto

OLDEST = 13
"""The first major version of PostgreSQL that we work on."""


class Reach(Flag):
    """Which sessions a pin is for: a superuser's in the pod, a plain user's over the network."""

    PODS = auto()
    NETWORK = auto()
    BOTH = PODS | NETWORK


@dataclass(frozen=True)
class Pin:
    """One setting. since: the first major version that knows it; an older server would refuse the connection.

    superuser: only a superuser may set it; a plain user who tried would be denied the connection.
    """

    setting: str
    value: str
    reach: Reach = Reach.BOTH
    since: int = OLDEST
    superuser: bool = False


PINS = (
    # Whose objects are found, whose code runs, with whose rights.
    Pin("search_path", "pg_catalog,pg_temp"),
    Pin("role", "none"),
    Pin("local_preload_libraries", ""),
    Pin("session_preload_libraries", "", Reach.PODS, superuser=True),
    Pin("session_replication_role", "replica", Reach.PODS, superuser=True),
    Pin("event_triggers", "off", Reach.PODS, since=17, superuser=True),
    Pin("constraint_exclusion", "off", Reach.NETWORK),
    # How long it may take, and what ends it.
    Pin("statement_timeout", "60s"),
    Pin("lock_timeout", "0"),
    Pin("idle_in_transaction_session_timeout", "0"),
    Pin("idle_session_timeout", "0", since=14),
    Pin("transaction_timeout", "0", since=17),
    Pin("client_connection_check_interval", "2s", since=14),
    Pin("exit_on_error", "off"),
    # What it may write, and for whom it waits.
    Pin("default_transaction_read_only", "on"),
    Pin("default_transaction_isolation", "read committed", Reach.PODS),
    Pin("synchronous_commit", "local"),
    # What an answer looks like.
    Pin("client_encoding", "UTF8", Reach.PODS),
    Pin("client_min_messages", "error"),
    Pin("lc_messages", "C", Reach.PODS, superuser=True),
    Pin("quote_all_identifiers", "off"),
    Pin("DateStyle", "ISO,YMD"),
    Pin("IntervalStyle", "postgres", Reach.NETWORK),
    Pin("TimeZone", "UTC", Reach.NETWORK),
    Pin("bytea_output", "hex", Reach.NETWORK),
    Pin("extra_float_digits", "1", Reach.NETWORK),
    Pin("lc_monetary", "C", Reach.NETWORK),
    Pin("xmlbinary", "base64", Reach.NETWORK),
    # Damage is reported, not papered over.
    Pin("zero_damaged_pages", "off", Reach.PODS, superuser=True),
    Pin("ignore_checksum_failure", "off", Reach.PODS, superuser=True),
    # What a look may cost.
    Pin("jit", "off", Reach.PODS),
    Pin("max_parallel_workers_per_gather", "0", Reach.PODS),
)


def in_pods() -> str:
    """The lines of a shell script that pin its sessions; `pin NAME=VALUE…` in it then pins another value."""
    pins = [pin for pin in PINS if Reach.PODS in pin.reach]
    lines = ["export PGOPTIONS=", 'pin() { for each; do PGOPTIONS="$PGOPTIONS -c $each"; done; }']
    lines.append('major=$(cat "$PGDATA/PG_VERSION")')
    for since in sorted({pin.since for pin in pins}):
        guard = "" if since == OLDEST else f'[ "$major" -lt {since} ] || '
        lines.append(guard + " ".join(["pin", *(_word(pin) for pin in pins if pin.since == since)]))
    return "\n".join(lines) + "\n"


def _word(pin: Pin) -> str:
    """An option's value ends at the first space that no backslash precedes (libpq's `options`)."""
    word = f"{pin.setting}={pin.value}"
    return "'" + word.replace(" ", "\\ ") + "'" if " " in word else word


def at_startup(version: int, **other: str) -> str:
    """The value of libpq's `options` for a server of that major version; `other` values go before the pins'.

    Without the search path: what is set here would be the session's default, which a user's own query needs.
    """
    pinned = _over_the_network(version, other)
    return " ".join(f"-c {name}={value}" for name, value in pinned if name != "search_path")


def in_transaction(version: int, **other: str) -> str:
    """The statements that pin the running transaction; SET looks up no name that could have been planted."""
    return "; ".join(
        f"SET LOCAL {name} = {_listed(value)}" for name, value in _over_the_network(version, other)
    )


def _over_the_network(version: int, other: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for pin in PINS:
        if Reach.NETWORK in pin.reach and pin.since <= version:
            yield pin.setting, other.get(pin.setting, pin.value)


def _listed(value: str) -> str:
    """As SET takes a list: quoted as one, `a,b` would be a single name."""
    return ", ".join(f"'{part}'" for part in value.split(","))
