import pytest

from kanfunc.domain.activity import (
    Activity,
    Actors,
    Subscription,
    Subscriptions,
    judge_activity,
    not_looked_at,
)
from kanfunc.domain.finding import Finding, Status
from kanfunc.domain.survey import Names

NONE, NOBODY = Subscriptions(0, 0, ()), Names(0, ())
QUIET = Activity(workers=4, libraries="", strangers=(), subscriptions=NONE, closed=NOBODY)


def activity(**changes: object) -> Activity:
    known = {field: getattr(QUIET, field) for field in QUIET.__struct_fields__}
    return Activity(**(known | changes))


def subscriptions(count: int, enabled: int) -> Subscriptions:
    first = tuple(
        Subscription(name=f"s{number}", database="app", enabled=number < enabled, working=number == 0)
        for number in range(min(count, 10))
    )
    return Subscriptions(count, enabled, first)


def only(found: Activity) -> Finding:
    [finding] = judge_activity(found)
    assert finding.status is Status.WARNING
    assert not finding.spoils
    assert finding.expected
    assert finding.meaning
    return finding


def test_nothing_is_told_of_a_database_that_does_nothing() -> None:
    assert judge_activity(QUIET) == []
    harmless = activity(libraries="pg_stat_statements, auto_explain,pgaudit")
    assert judge_activity(harmless) == []


@pytest.mark.parametrize(
    ("workers", "enabled", "found", "meaning"),
    [
        (4, 1, "s0 in app (enabled, running now), s1 in app (disabled); max", "the publisher sends"),
        (0, 1, "workers is 0: no worker can run", "as it is, this copy takes nothing"),
        (4, 0, "s1 in app (disabled); max", "as it is, this copy takes nothing"),
    ],
)
def test_subscriptions_are_named_with_what_they_cost(
    workers: int, enabled: int, found: str, meaning: str
) -> None:
    finding = only(activity(workers=workers, subscriptions=subscriptions(2, enabled)))
    assert finding.check == "subscriptions"
    assert found in finding.found
    assert f"max_logical_replication_workers is {workers}" in finding.found
    assert finding.meaning.startswith(meaning)
    assert "loses these rows for good" in finding.meaning
    assert "slot_name = NONE" in finding.meaning


def test_ten_thousand_subscriptions_are_ten_names_and_a_count() -> None:
    finding = only(activity(subscriptions=subscriptions(10_000, 10_000)))
    assert "s9 in app (enabled) and 9990 more" in finding.found
    assert len(finding.found) < 500


def test_jobs_are_told_by_database_library_and_process() -> None:
    databases = (
        Actors(database="postgres", extensions=("pg_cron",)),
        Actors(database="app", extensions=("pg_partman", "timescaledb")),
    )
    found = activity(
        databases=databases, acting=14, libraries="'$libdir/pg_cron', pg_partman_bgw", strangers=("x worker",)
    )
    finding = only(found)
    assert finding.check == "scheduled jobs"
    assert finding.found == (
        "postgres (pg_cron), app (pg_partman, timescaledb) and 12 more; "
        "loaded at server start: pg_cron, pg_partman_bgw; running now: x worker"
    )


@pytest.mark.parametrize(
    "found",
    [activity(libraries="pg_task"), activity(strangers=("pg_cron launcher",))],
    ids=["library", "process"],
)
def test_what_acts_without_an_extension_is_told(found: Activity) -> None:
    assert only(found).check == "scheduled jobs"


def test_replication_that_is_not_postgresqls_own_is_a_finding_of_its_own() -> None:
    databases = (Actors(database="app", extensions=("pg_cron", "pglogical")),)
    found = judge_activity(activity(databases=databases, acting=1, libraries="pglogical"))
    assert [(each.check, each.found) for each in found] == [
        ("replication by extensions", "app (pglogical); loaded at server start: pglogical"),
        ("scheduled jobs", "app (pg_cron)"),
    ]


def test_databases_that_could_not_be_looked_at_are_named_and_counted() -> None:
    broken = (Actors(database="b", reason="FATAL:  no"), Actors(database="a", extensions=("pg_cron",)))
    found = activity(closed=Names(11, ("shut",)), databases=broken, acting=1, unseen=40)
    [jobs, unseen] = judge_activity(found)
    assert jobs.found == "a (pg_cron)"
    assert unseen.found == "shut (allows no connections), b (FATAL:  no) and 49 more"
    assert not unseen.spoils


def test_a_name_writes_no_line_of_a_report() -> None:
    evil = "x\n  ok   mark: \x1b[2J"
    seen = Subscriptions(1, 1, (Subscription(name=evil, database=evil, enabled=True, working=False),))
    found = activity(
        subscriptions=seen,
        closed=Names(1, (evil,)),
        databases=(Actors(database=evil, extensions=("pg_cron",)), Actors(database="y", reason=evil)),
        acting=1,
        unseen=1,
    )
    for finding in (*judge_activity(found), not_looked_at(evil)):
        assert finding.found.isprintable()
