"""What an examination found, and what that means."""

from collections.abc import Sequence

from kanfunc.domain.examination import Examination, Obstacle, runs_as_owner
from kanfunc.domain.finding import Finding, Status
from kanfunc.domain.survey import Survey, structural, told

_UNKNOWN = "what amcheck would have found is not known"


def judge_examination(
    run: Examination, survey: Survey, reason: str, obstacles: Sequence[Obstacle] = ()
) -> list[Finding]:
    """What was found. reason: why the run ended early; empty where it came to its end."""
    return [_amcheck(run, survey, reason, obstacles), _lost(run, reason), _checksums(run, survey, reason)]


def may_run_amcheck(version: str, obstacles: Sequence[Obstacle]) -> bool:
    """Whether pg_amcheck would run nobody's functions with our rights."""
    return runs_as_owner(version) and not any(each.bars for each in obstacles)


def _amcheck(run: Examination, survey: Survey, reason: str, obstacles: Sequence[Obstacle]) -> Finding:
    check, expected = "tables and b-trees (amcheck)", "nothing to complain of in any database"
    if run.complaints.count:
        return structural(
            check,
            Status.FAILED,
            str(run.complaints),
            expected=expected,
            meaning="tables or indexes are damaged: do not use this restore; try an older restore point",
        )
    missing, remedy = _not_run(run, survey, reason, obstacles)
    if missing:
        return structural(check, Status.NOT_CHECKED, missing, expected=expected, meaning=remedy)
    return structural(check, Status.PASSED, f"{run.relations} relations in {len(survey.databases)} databases")


def _not_run(run: Examination, survey: Survey, reason: str, obstacles: Sequence[Obstacle]) -> tuple[str, str]:
    """Why not all was looked at, and what helps; empty where it was."""
    if not survey.program:
        return "there is no pg_amcheck in this image", _UNKNOWN
    if not may_run_amcheck(survey.version, obstacles):
        return _refused(survey.version, obstacles)
    if survey.without_amcheck:
        return _not_installed(survey.without_amcheck, obstacles)
    if reason or (run.exit_code == 0 and not run.troubles.count):
        return reason, _UNKNOWN
    return f"pg_amcheck ended with exit code {run.exit_code}: {run.troubles}", _UNKNOWN


def _refused(version: str, obstacles: Sequence[Obstacle]) -> tuple[str, str]:
    if not runs_as_owner(version):
        return f"amcheck of {version} runs functions of indexes as superuser (CVE-2022-1552)", (
            "update PostgreSQL to 13.7, 14.3, 15 or later, then verify again"
        )
    barred = [f"{each.database} ({each.bars})" for each in obstacles if each.bars]
    return f"pg_amcheck was not run because of {told(barred)}", (
        "it might call functions of others as superuser, so it was not run in any database. ALTER EXTENSION "
        "amcheck SET SCHEMA pg_catalog there, or run again with --install-amcheck, which does it; let closed "
        "databases allow connections"
    )


def _not_installed(databases: Sequence[str], obstacles: Sequence[Obstacle]) -> tuple[str, str]:
    found = f"the extension amcheck is not installed in {told(databases)}"
    if reasons := [f"{each.database}: {each.reason}" for each in obstacles if each.reason]:
        return f"{found} ({told(reasons)})", "install it there as a superuser, in schema pg_catalog"
    return found, (
        "CREATE EXTENSION amcheck SCHEMA pg_catalog there, or run again with --install-amcheck, which does it"
    )


def _lost(run: Examination, reason: str) -> Finding:
    check, expected = "lost pages", "every page is there that the visibility map knows of"
    unfinished = reason or ("" if run.looks_ended and not run.unmade.count else _unfinished(run))
    bad = [str(kept) for kept in (run.differing, run.problems) if kept.count]
    if run.uncounted.count and (bad or not unfinished):
        bad.append(str(run.uncounted))
    if bad:
        return structural(
            check,
            Status.FAILED,
            "; ".join(bad),
            expected=expected,
            meaning="pages of a table are gone, or cannot be read: do not use this restore",
        )
    if unfinished:
        meaning = f"{run.counted} tables were looked at before"
        return structural(check, Status.NOT_CHECKED, unfinished, expected=expected, meaning=meaning)
    return structural(check, Status.PASSED, f"none in {run.counted} vacuumed tables")


def _unfinished(run: Examination) -> str:
    return f"it did not come to its end: {run.unmade}" if run.unmade.count else "it did not come to its end"


def _checksums(run: Examination, survey: Survey, reason: str) -> Finding:
    check, failures = "data checksums", run.checksum_failures
    if not survey.checksums:
        return structural(
            check,
            Status.WARNING,
            "off",
            expected="on",
            meaning="a changed byte inside a value is noticed by nothing that knows only the structure",
        )
    if failures is None:
        return structural(
            check, Status.NOT_CHECKED, reason or "the counter could not be read", expected="no failures"
        )
    return structural(
        check,
        Status.FAILED if failures else Status.PASSED,
        f"{failures} failures",
        expected="no failures",
        meaning="PostgreSQL has read pages that are not as they were written (pg_stat_database); the counter "
        "may have come with the backup: see pg_stat_database.checksum_last_failure",
    )
