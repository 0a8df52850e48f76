"""What the checks of a restored database ask, and what the answers come to. Pure: others do the asking."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from kanfunc.domain.checks import (
    Asking,
    Check,
    Expect,
    ExtensionsCheck,
    FreshnessCheck,
    QueryCheck,
    RolesCheck,
    Scalar,
    TableCheck,
    seconds_of,
)
from kanfunc.domain.finding import Finding, Status, Tier, compare
from kanfunc.domain.pattern import fits

Row = tuple[str | None, ...]
"""Values as PostgreSQL prints them, in UTC and with ISO dates; None is NULL."""
_SHOWN = 200
"""Characters of a value that go into a report."""
_NUMBER = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]{1,6})?", re.ASCII)

_MISSING_EXTENSIONS = (
    "SELECT name FROM unnest(%s::text[]) AS name EXCEPT SELECT extname::text FROM pg_extension ORDER BY 1"
)
_MISSING_ROLES = (
    "SELECT name FROM unnest(%s::text[]) AS name EXCEPT SELECT rolname::text FROM pg_roles ORDER BY 1"
)
_COUNT = 'SELECT count(*) FROM {table} AS "kanfunc row"'
# Sums do not depend on the order of the rows and, unlike an exclusive or, see a row that is there twice.
# The alias is one that no column has: a column would win.
_FINGERPRINT = """
SELECT count(*), encode(sha256(convert_to(
         concat_ws(':', count(*), coalesce(sum(a), 0), coalesce(sum(b), 0)), 'UTF8')), 'hex')
FROM (SELECT ('x' || encode(substring(h, 1, 8), 'hex'))::bit(64)::bigint AS a,
             ('x' || encode(substring(h, 9, 8), 'hex'))::bit(64)::bigint AS b
      FROM (SELECT sha256(convert_to("kanfunc row"::text, 'UTF8')) AS h
            FROM {table} AS "kanfunc row") AS hashes) AS halves
"""


@dataclass(frozen=True)
class Session:
    """Who logs in where, and whom he then becomes. method: how; None is what there are credentials for.

    server: start time of the postmaster that must answer; seconds: for each statement.
    """

    host: str
    database: str
    user: str
    role: str | None
    method: str | None
    server: str
    seconds: int


@dataclass(frozen=True)
class Question:
    """One statement. limit: rows that are of interest; complete: rows hidden by policies make it fail."""

    sql: str
    parameters: tuple[tuple[str, ...], ...] = ()
    limit: int = 1
    complete: bool = False


@dataclass(frozen=True)
class Answer:
    """Its rows, at most as many as were of interest; `more` where it has others."""

    rows: tuple[Row, ...]
    more: bool = False


def question_of(check: Asking) -> Question:
    """What this check asks."""
    match check:
        case QueryCheck():
            rows = check.expect.rows
            return Question(check.query, limit=len(rows) if isinstance(rows, tuple) else 1)
        case FreshnessCheck():
            return Question(check.query)
        case ExtensionsCheck():
            return Question(_MISSING_EXTENSIONS, (check.required,), limit=len(check.required))
        case RolesCheck():
            return Question(_MISSING_ROLES, (check.required,), limit=len(check.required))
        case TableCheck():
            sql = _FINGERPRINT if check.fingerprint else _COUNT
            return Question(sql.format(table=_quoted(check.schema, check.table)), complete=True)


def judge(check: Asking, answer: Answer, fenced: datetime | None, tolerance: timedelta) -> Finding:
    """What the answer says; fenced: when the fence was placed, None where no mark tells."""
    match check:
        case QueryCheck():
            return _expected(check, answer)
        case FreshnessCheck():
            return _fresh(check, answer, fenced, tolerance)
        case ExtensionsCheck() | RolesCheck():
            missing = ", ".join(row[0] or "" for row in answer.rows)
            found = f"without {missing}" if missing else f"has {', '.join(check.required)}"
            return finding(check, found, ", ".join(check.required), good=not missing,
                           bad=f"{check.kind} that the application needs are gone")  # fmt: skip
        case TableCheck():
            return _exact(check, answer.rows[0])


def finding(check: Check, found: str, expected: str, *, good: bool, bad: str) -> Finding:
    """Of this tier."""
    return compare(check.name, found, expected, good=good, bad=bad, tier=Tier.CONTENT)


def not_checked(check: Check, found: str, meaning: str) -> Finding:
    """Of this tier, where the check could not be made."""
    return Finding(check=check.name, tier=Tier.CONTENT, status=Status.NOT_CHECKED, found=found,
                   expected=f"the check made ({check.kind})", meaning=meaning)  # fmt: skip


def _expected(check: QueryCheck, answer: Answer) -> Finding:
    [(kind, wanted)] = check.expect.given.items()
    expected = f"{kind.replace('_', ' ')} {_shown(_said(wanted))}"
    if kind == "rows":
        good = not answer.more and len(answer.rows) == len(wanted)
        good = good and all(_same_row(*pair) for pair in zip(answer.rows, wanted, strict=True))
        found = _shown(_said(answer.rows)) + (" and more" if answer.more else "")
        return finding(check, found, expected, good=good, bad="these are not the rows that were expected")
    value, problem = _single(answer)
    if problem:
        return finding(check, problem, expected, good=False, bad="the query must find one value")
    good = _meets(value, check.expect)
    return finding(check, _shown(_said(value)), expected, good=good, bad="this is not what was expected")


def _meets(value: str | None, expect: Expect) -> bool:
    if expect.given.keys() == {"equals"}:
        return _same(value, expect.given["equals"])
    if isinstance(expect.matches, str):
        return value is not None and fits(expect.matches, value)
    number = _number(value)
    if number is None:
        return False
    if isinstance(expect.between, tuple):
        low, high = expect.between
        return Decimal(str(low)) <= number <= Decimal(str(high))
    return number >= Decimal(str(expect.at_least))


def _fresh(check: FreshnessCheck, answer: Answer, fenced: datetime | None, tolerance: timedelta) -> Finding:
    expected = f"data at most {check.max_age} older than the fence"
    value, problem = _single(answer)
    newest = _time(value)
    if problem or newest is None:
        found = problem or f"no time: {_shown(_said(value))}"
        return finding(check, found, expected, good=False, bad="the query must find one time")
    if fenced is None:
        return not_checked(
            check, f"newest data of {newest:%Y-%m-%d %H:%M:%SZ}", "no mark tells when it was fenced"
        )
    found = f"newest data of {newest:%Y-%m-%d %H:%M:%SZ}, fenced at {fenced:%Y-%m-%d %H:%M:%SZ}"
    if newest - fenced > tolerance:  # times of any year: their sums may be none
        return not_checked(
            check, found, "data that came after the fence say nothing of what was backed up: "
            "run before clients write, or narrow the query",
        )  # fmt: skip
    age = timedelta(seconds=seconds_of(check.max_age))
    return finding(check, found, expected, good=fenced - newest <= age,
                   bad="data were missing before the backup, or were deleted since")  # fmt: skip


def _exact(check: TableCheck, row: Row) -> Finding:
    count, fingerprint = row[0] or "", row[1] if len(row) > 1 else None
    found, expected = [f"{count} rows"], []
    good = True
    if check.count is not None:
        good = count == str(check.count)
        expected.append(f"{check.count} rows")
    if check.fingerprint is not None:
        good = good and fingerprint == check.fingerprint
        found.append(f"fingerprint {fingerprint}")
        expected.append(f"fingerprint {check.fingerprint}")
    return finding(check, ", ".join(found), ", ".join(expected), good=good,
                   bad="rows of this table were changed, deleted or added")  # fmt: skip


def _single(answer: Answer) -> tuple[str | None, str]:
    """The one value, or what is wrong."""
    if answer.more:
        return None, "more than one row"
    if len(answer.rows) != 1 or len(answer.rows[0]) != 1:
        return None, "no row" if not answer.rows else f"{len(answer.rows[0])} columns"
    return answer.rows[0][0], ""


def _same_row(found: Row, wanted: tuple[Scalar, ...]) -> bool:
    return len(found) == len(wanted) and all(map(_same, found, wanted))


def _same(value: str | None, wanted: Scalar) -> bool:
    if wanted is None or value is None:
        return value is wanted
    if isinstance(wanted, bool):
        return value == ("t" if wanted else "f")
    if isinstance(wanted, str):
        return value == wanted
    return _number(value) == Decimal(str(wanted))


def _number(value: str | None) -> Decimal | None:
    """As PostgreSQL prints one; Python's Decimal would take other texts, too."""
    return Decimal(value) if value and _NUMBER.fullmatch(value) else None


def _time(value: str | None) -> datetime | None:
    try:
        time = datetime.fromisoformat(value or "")
    except ValueError:
        return None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _said(value: object) -> str:
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_said(each) for each in value) + "]"
    return "NULL" if value is None else str(value)


def _shown(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}… ({len(text)} characters)"


def _quoted(*names: str) -> str:
    return ".".join('"' + name.replace('"', '""') + '"' for name in names)
