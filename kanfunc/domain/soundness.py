"""What an examination found, and what that means."""

from kanfunc.domain.examination import Examination
from kanfunc.domain.finding import Finding, Status
from kanfunc.domain.survey import Names, Survey, remark, structural, told


def judge_examination(run: Examination, survey: Survey, reason: str, *, install: bool) -> list[Finding]:
    """What was found. reason: why the run ended early; empty where it came to its end."""
    return [
        _amcheck(run, survey, reason, install=install),
        _lost(run, reason),
        _sequences(run, reason),
        _checksums(run, survey, reason),
    ]


def _amcheck(run: Examination, survey: Survey, reason: str, *, install: bool) -> Finding:
    check, expected = "tables and b-trees (amcheck)", "nothing to complain of in any database"
    if run.complaints.count:
        return structural(
            check,
            Status.FAILED,
            str(run.complaints),
            expected=expected,
            meaning="tables or indexes are damaged: do not use this restore; try an older restore point",
        )
    skipped = survey.without_amcheck(install=install)
    missing = _not_run(run, survey, skipped, reason)
    if missing:
        return structural(check, Status.NOT_CHECKED, missing, expected=expected, meaning=_remedy(skipped))
    return structural(check, Status.PASSED, f"{run.relations} relations in {len(survey.databases)} databases")


def _not_run(run: Examination, survey: Survey, skipped: tuple[str, ...], reason: str) -> str:
    """Why not all was looked at; empty where it was."""
    if not survey.program:
        return "there is no pg_amcheck in this image"
    if skipped:
        return f"the extension amcheck is not installed in {told(skipped)}"
    if reason:
        return reason
    if run.exit_code == 0 and not run.troubles.count:
        return ""
    return f"pg_amcheck ended with exit code {run.exit_code}: {run.troubles}"


def _remedy(skipped: tuple[str, ...]) -> str:
    if skipped:
        return "install the extension there, or run again with --install-amcheck, which does it"
    return "what amcheck would have found is not known"


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


def _sequences(run: Examination, reason: str) -> Finding:
    check, behind = "sequences", run.behind
    if not (behind.count or run.looks_ended):
        return structural(check, Status.NOT_CHECKED, reason or _unfinished(run), expected="none is behind")
    return remark(
        Names(behind.count, tuple(behind.first)),
        check,
        "the next insert may meet a number that is taken. Some applications choose numbers themselves; "
        "otherwise somebody has reset the sequence",
    )


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
