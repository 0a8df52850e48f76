"""What is read from pg_amcheck and the look for lost pages, and what the findings make of it."""

from typing import Any

import pytest
from msgspec.structs import replace

from kanfunc.domain.examination import Examination, Obstacle
from kanfunc.domain.finding import Finding, Status, Tier, proven
from kanfunc.domain.record import Proof
from kanfunc.domain.soundness import judge_examination, may_run_amcheck
from kanfunc.domain.survey import Database, Names, Survey, judge_survey
from tests.builders import proof

GOOD = (
    "amcheck:  0/281 relations (0%),      0/249589 pages (0%)",
    "amcheck:281/281 relations (100%), 249589/249589 pages (100%)",
    "amcheck:exit 0",
    'looks:{"counting" : "public.items", "database" : "app"}',
    'looks:{"lost" : 0, "page" : null}',
    "looks:end",
    'after:{"checksum_failures" : 0}',
)
AMCHECK, LOST, CHECKSUMS = "tables and b-trees (amcheck)", "lost pages", "data checksums"
APP = Database(name="app", bytes=8192, amcheck=True)
SURVEY = Survey(
    version="15.18 (Debian 15.18-0+deb12u1)",
    checksums=True,
    program=True,
    closed=(),
    tablespaces=1,
    lost_tablespaces=(),
    databases=(APP,),
)


def examined(*lines: str) -> Examination:
    run = Examination()
    for line in lines:
        run.read(line)
    return run


def judged(
    *lines: str, survey: Survey = SURVEY, reason: str = "", obstacles: tuple[Obstacle, ...] = ()
) -> dict[str, Finding]:
    found = judge_examination(examined(*lines), survey, reason, obstacles)
    assert {finding.tier for finding in found} == {Tier.STRUCTURE}
    return {finding.check: finding for finding in found}


def but(*changes: str, without: str = "never") -> list[str]:
    return [*(line for line in GOOD if without not in line), *changes]


def surveyed(fenced: Proof | None = None, **changes: Any) -> dict[str, Finding]:
    survey = replace(SURVEY, **changes)
    return {finding.check: finding for finding in judge_survey(survey, fenced)}


def listing(**lists: Names) -> tuple[Database, ...]:
    return (Database(name="app", bytes=8192, amcheck=True, lists=lists),)


def test_nothing_to_complain_of() -> None:
    found = judged(*GOOD)
    assert proven(found.values(), [Tier.STRUCTURE])
    assert found[AMCHECK].found == "281 relations in 1 databases"
    assert found[LOST].found == "none in 1 vacuumed tables"


@pytest.mark.parametrize(
    ("lines", "check", "words"),
    [
        (
            [
                'complaint:heap table "app.public.items", block 10, offset 2:',
                "complaint:    line pointer is garbage",
                "amcheck:exit 2",
            ],
            AMCHECK,
            "line pointer is garbage",
        ),
        (
            [
                'looks:{"counting" : "public.a", "database" : "app"}',
                'looks:{"lost" : 2, "page" : 17}',
            ],
            LOST,
            "app: public.a has lost 2 pages, the first is 17",
        ),
        (["looks:psql:<stdin>:9: ERROR:  XX001: invalid page in block 3"], LOST, "invalid page in block 3"),
        (['after:{"checksum_failures" : 2}'], CHECKSUMS, "2 failures"),
    ],
)
def test_damage_fails(lines: list[str], check: str, words: str) -> None:
    found = judged(*but(*lines))
    assert found[check].status is Status.FAILED
    assert words in found[check].found
    assert not proven(found.values(), [Tier.STRUCTURE])


@pytest.mark.parametrize(
    ("without", "checks"), [("exit", {AMCHECK}), ("end", {LOST}), ("after", {CHECKSUMS})]
)
def test_an_answer_that_is_missing_is_not_good(without: str, checks: set[str]) -> None:
    found = judged(*but(without=without))
    assert {each.check for each in found.values() if each.status is Status.NOT_CHECKED} == checks
    assert not proven(found.values(), [Tier.STRUCTURE])


def test_what_only_amcheck_could_not_do_leaves_the_other_looks_as_they_are() -> None:
    """So it ends where no database has its extension."""
    found = judged(*but("amcheck:pg_amcheck: error: no relations to check", "amcheck:exit 1", without="exit"))
    assert {each.check for each in found.values() if not each.passed} == {AMCHECK}


def test_a_table_that_gave_no_answer_is_bad() -> None:
    """Its scan failed: the error itself may be lost among others."""
    lines = [line for line in GOOD if "lost" not in line]
    assert judged(*lines)[LOST].status is Status.FAILED


@pytest.mark.parametrize(
    "line",
    [
        "looks:psql:<stdin>:9: ERROR:  57P01: terminating connection due to administrator command",
        "looks:psql:<stdin>:9: ERROR:  53200: out of memory",
        "looks:psql:<stdin>:9: ERROR:  P0001: no extensions here",
        'looks:{"blind" : "app"}',
        "amcheck:pg_amcheck: error: connection to server failed",
    ],
)
def test_trouble_says_nothing_of_the_data(line: str) -> None:
    found = judged(*but(line))
    assert {each.status for each in found.values()} >= {Status.NOT_CHECKED}
    assert Status.FAILED not in {each.status for each in found.values()}


@pytest.mark.parametrize(
    "line",
    [
        'amcheck:WARNING:  database "app" has a collation version mismatch',
        'looks:WARNING:  01000: database "app" has a collation version mismatch',
        "looks:LOCATION:  CheckMyDatabase, postinit.c:463",
        'amcheck:pg_amcheck: warning: skipping database "a": amcheck is not installed',
    ],
)
def test_warnings_are_no_damage(line: str) -> None:
    assert proven(judged(*but(line)).values(), [Tier.STRUCTURE])


def test_a_table_that_was_dropped_meanwhile_is_no_damage() -> None:
    gone = [
        'looks:{"counting" : "public.gone", "database" : "app"}',
        'looks:psql:<stdin>:9: ERROR:  42P01: relation "public.gone" does not exist',
    ]
    assert judged(*gone, *GOOD)[LOST].status is Status.PASSED


def test_cut_off_at_its_limit_nothing_is_good_and_damage_is_told() -> None:
    cut = "sh in pod edb/a-1 did not end within 1 s"
    found = judged(*GOOD[:4], reason=cut)
    assert {found[AMCHECK].status, found[LOST].status} == {Status.NOT_CHECKED}
    assert found[AMCHECK].found == cut
    found = judged('complaint:btree index "app.public.i":', "complaint:    ERROR:  bad", reason=cut)
    assert found[AMCHECK].status is Status.FAILED


REFUSED = Obstacle(database="app", reason="the event trigger guard would run as superuser")


@pytest.mark.parametrize(
    ("obstacles", "words"), [((), "not installed in app"), ((REFUSED,), "trigger guard")]
)
def test_a_database_without_amcheck_is_not_checked(obstacles: tuple[Obstacle, ...], words: str) -> None:
    cluster = replace(SURVEY, databases=(Database(name="app", bytes=1),))
    found = judged(*GOOD, survey=cluster, obstacles=obstacles)[AMCHECK]
    assert found.status is Status.NOT_CHECKED
    assert words in found.found


def test_amcheck_where_others_may_create_functions_is_not_run() -> None:
    exposed = Obstacle(database="app", bars="amcheck is in schema public")
    assert not may_run_amcheck("15.18", (exposed,))
    assert may_run_amcheck("15.18", (REFUSED,))
    found = judged(*GOOD, obstacles=(exposed,))[AMCHECK]
    assert found.status is Status.NOT_CHECKED
    assert found.found == "pg_amcheck was not run because of app (amcheck is in schema public)"
    assert "ALTER EXTENSION amcheck SET SCHEMA pg_catalog" in found.meaning


@pytest.mark.parametrize("version", ["13.6", "14.2 (Debian 14.2-1)", "12.22", "unknown"])
def test_amcheck_that_lends_our_rights_to_indexes_is_not_run(version: str) -> None:
    assert not may_run_amcheck(version, ())
    found = judged(*GOOD, survey=replace(SURVEY, version=version))[AMCHECK]
    assert found.status is Status.NOT_CHECKED
    assert version in found.found


def test_complaints_without_end_are_counted_not_kept() -> None:
    run = examined(*(f"complaint:heap table {number}" for number in range(100_000)))
    assert run.complaints.count == 100_000
    assert len(run.complaints.first) == 20


def test_progress_is_in_bytes() -> None:
    run = examined("amcheck: 12/281 relations ( 4%),   1000/249589 pages ( 0%)")
    assert run.progress is not None
    assert (run.progress.done, run.progress.total) == (8_192_000, 2_044_633_088)


def test_a_sound_survey() -> None:
    found = surveyed()
    assert {f.check for f in found.values() if not f.passed} == {"PostgreSQL version"}
    assert found["PostgreSQL version"].status is Status.WARNING, "a mark of old says no version"


@pytest.mark.parametrize(
    ("fenced", "status"),
    [
        ("15.18 (Debian 15.18-0+deb12u1)", Status.PASSED),
        ("15.9", Status.PASSED),
        ("15.19", Status.WARNING),
        ("14.20", Status.FAILED),
        ("16.1", Status.FAILED),
    ],
)
def test_version_against_the_mark(fenced: str, status: Status) -> None:
    assert surveyed(replace(proof(), server_version=fenced))["PostgreSQL version"].status is status


@pytest.mark.parametrize(
    ("changes", "check", "status"),
    [
        ({"lost_tablespaces": ("hot",)}, "tablespaces", Status.FAILED),
        ({"closed": ("archive",)}, "databases that allow connections", Status.NOT_CHECKED),
        ({"databases": (Database(name="app", failure="FATAL:  no"),)}, "catalogs", Status.FAILED),
        ({"databases": listing(short=Names(1, ("public.a",)))}, "files of relations", Status.FAILED),
        ({"databases": listing(missing=Names(1, ("public.a",)))}, "files of relations", Status.FAILED),
        (
            {"databases": listing(lost_extensions=Names(1, ("postgis 3",)))},
            "files of extensions",
            Status.FAILED,
        ),
        ({"databases": listing(invalid_indexes=Names(1, ("public.i",)))}, "valid indexes", Status.WARNING),
        ({"databases": listing(unvalidated=Names(1, ("c on t",)))}, "validated constraints", Status.WARNING),
        ({"databases": listing(collations=Names(1, ("c",)))}, "collation versions", Status.WARNING),
        ({"databases": listing(not_vacuumed=Names(1, ("t",)))}, "vacuumed tables", Status.WARNING),
        ({"databases": listing(other_indexes=Names(1, ("g",)))}, "kinds of indexes", Status.WARNING),
    ],
)
def test_what_a_survey_finds(changes: dict[str, Any], check: str, status: Status) -> None:
    found = surveyed(**changes)[check]
    assert found.status is status
    assert found.meaning
    assert found.expected
