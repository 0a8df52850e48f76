"""What a restored database does by itself: it takes changes from publishers, runs jobs. Pure judgement.

A copy does what its source does, beside it: none of it says that the copy is a bad one, all of it may cost
the source, or others, something.
"""

from collections.abc import Mapping

import msgspec

from kanfunc.domain.codec import plain
from kanfunc.domain.finding import Finding, Status
from kanfunc.domain.survey import Names, told

REPLICATING: Mapping[str, str] = {"pglogical": "pglogical", "spock": "spock", "bdr": "bdr"}
"""Extensions with subscriptions of their own, and the library whose workers serve them."""

SCHEDULING: Mapping[str, str] = {
    "citus": "citus",
    "dbms_job": "",
    "dbms_scheduler": "",
    "edb_job_scheduler": "edb_job_scheduler",
    "pg_cron": "pg_cron",
    "pg_dbms_job": "",
    "pg_net": "pg_net",
    "pg_partman": "pg_partman_bgw",
    "pg_task": "pg_task",
    "pg_timetable": "",
    "pgagent": "",
    "timescaledb": "timescaledb",
}
"""Extensions that act at times of their own, and the library whose workers do; empty: an agent elsewhere."""

_MOST = 10
"""Of each kind that are named; the others are counted."""


class Subscription(msgspec.Struct, frozen=True, kw_only=True):
    """One of them. working: its worker is there now. Where it leads to is not asked: a password is in it."""

    name: str
    database: str
    enabled: bool
    working: bool

    def __str__(self) -> str:
        state = "enabled, running now" if self.working else "enabled" if self.enabled else "disabled"
        return f"{plain(self.name)} in {plain(self.database)} ({state})"


class Subscriptions(msgspec.Struct, frozen=True):
    """All of the server, the enabled ones first."""

    count: int
    enabled: int
    first: tuple[Subscription, ...]


class Actors(msgspec.Struct, frozen=True, kw_only=True):
    """Extensions in one database that act by themselves; reason: why it could not be looked at."""

    database: str
    extensions: tuple[str, ...] = ()
    reason: str = ""


class Activity(msgspec.Struct, frozen=True, kw_only=True):
    """What acts in a server. workers: max_logical_replication_workers. libraries: that it started with.

    strangers: kinds of processes at work now that are not PostgreSQL's own. closed: databases that allow no
    connections. acting and unseen: how many databases there are of each kind; `databases` are the first.
    """

    workers: int
    libraries: str
    strangers: tuple[str, ...]
    subscriptions: Subscriptions
    closed: Names
    databases: tuple[Actors, ...] = ()
    acting: int = 0
    unseen: int = 0

    def loaded(self, libraries: Mapping[str, str]) -> tuple[str, ...]:
        """Which of these libraries it started with."""
        names = {each.strip(" \"'").rpartition("/")[2] for each in self.libraries.split(",")}
        return tuple(sorted(names & set(libraries.values()) - {""}))

    def with_extensions(self, known: Mapping[str, str]) -> tuple[str, ...]:
        """The databases among the first that have some of these, with their names."""
        pairs = (
            (each.database, [name for name in each.extensions if name in known]) for each in self.databases
        )
        return tuple(f"{plain(database)} ({', '.join(names)})" for database, names in pairs if names)


def judge_activity(activity: Activity) -> list[Finding]:
    """Warnings, each where there is something to warn of."""
    return [*_subscriptions(activity), *_replication(activity), *_jobs(activity), *_unseen(activity)]


def not_looked_at(reason: str) -> Finding:
    """The finding where nothing could be asked."""
    return _warning(
        "subscriptions and scheduled jobs", f"not looked at: {plain(reason)}", "to see what this copy does",
        "it may take changes from a publisher that its source then never gets, and run the source's jobs. "
        "Cut it off from the network, and verify again",
    )  # fmt: skip


def _subscriptions(activity: Activity) -> list[Finding]:
    found = activity.subscriptions
    if not found.count:
        return []
    setting = f"max_logical_replication_workers is {activity.workers}"
    setting += "" if activity.workers else ": no worker can run"
    named = told(map(str, found.first), found.count, most=_MOST)
    taking = bool(found.enabled and activity.workers)
    return [
        _warning("subscriptions", f"{named}; {setting}",
                 "none that takes changes: max_logical_replication_workers is 0",
                 (_TAKING if taking else _AT_REST) + _TO_DO)
    ]  # fmt: skip


_TAKING = (
    "the publisher sends each change once: what this copy has received since it came up, its source never "
    "gets. The source loses these rows for good. Disable the subscriptions in this copy now. Then compare "
    "the source with its publisher"
)
_AT_REST = (
    "as it is, this copy takes nothing. With an enabled subscription and workers it would take what the "
    "publisher keeps for its source, and the source loses these rows for good"
)
_TO_DO = (
    ". While the source lives, never DROP one here without ALTER SUBSCRIPTION … SET (slot_name = NONE) "
    "before: it would drop the source's slot, too. Where this copy replaces its source: docs/copies.md"
)


def _replication(activity: Activity) -> list[Finding]:
    return _actors(
        "replication by extensions", activity, REPLICATING,
        "their subscriptions take the source's changes as PostgreSQL's own do, and "
        "max_logical_replication_workers does not stop them. Take the library out of "
        "shared_preload_libraries, or cut the copy off from the network (docs/copies.md)",
    )  # fmt: skip


def _jobs(activity: Activity) -> list[Finding]:
    return _actors(
        "scheduled jobs", activity, SCHEDULING,
        "the source's jobs run here, too, as soon as workers or an agent serve this copy: what they send, "
        "call or delete elsewhere happens twice. Until this copy replaces its source, cut it off from the "
        "network, or take the library out of shared_preload_libraries (docs/copies.md)",
        strangers=activity.strangers,
    )  # fmt: skip


def _actors(
    check: str, activity: Activity, known: Mapping[str, str], meaning: str, strangers: tuple[str, ...] = ()
) -> list[Finding]:
    databases, loaded = activity.with_extensions(known), activity.loaded(known)
    if not (databases or loaded or strangers):
        return []
    others = activity.acting - sum(1 for each in activity.databases if each.extensions)
    parts = [told(databases, len(databases) + others, most=_MOST)] if databases else []
    parts += [f"loaded at server start: {', '.join(loaded)}"] if loaded else []
    parts += [f"running now: {', '.join(map(plain, strangers))}"] if strangers else []
    return [_warning(check, "; ".join(parts), "nothing that acts by itself", meaning)]


def _unseen(activity: Activity) -> list[Finding]:
    closed = activity.closed
    names = [f"{plain(each)} (allows no connections)" for each in closed.first]
    names += [f"{plain(each.database)} ({plain(each.reason)})" for each in activity.databases if each.reason]
    count = closed.count + activity.unseen
    if not count:
        return []
    return [
        _warning("databases not looked at for jobs", told(names, count, most=_MOST), "all but template0",
                 "jobs may run there unseen; subscriptions were looked up for all databases")
    ]  # fmt: skip


def _warning(check: str, found: str, expected: str, meaning: str) -> Finding:
    return Finding(check=check, status=Status.WARNING, found=found, expected=expected, meaning=meaning)
