"""What the checks of a restored database ask, and what the answers come to. Pure: others do the asking."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import msgspec

from kanfunc.domain.checks import (
    Asking,
    Expect,
    ExtensionsCheck,
    FreshnessCheck,
    QueryCheck,
    RolesCheck,
    Scalar,
    SequencesCheck,
    TableCheck,
    seconds_of,
)
from kanfunc.domain.finding import Finding
from kanfunc.domain.inquiry import Answer, Inquiry, Question, Row, finding, not_checked
from kanfunc.domain.pattern import LONGEST_VALUE, fits
from kanfunc.domain.sequences import sequences_inquiry
from kanfunc.domain.tablecheck import table_inquiry

_SHOWN = 200
"""Characters of a value that go into a report."""
_NUMBER = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]{1,6})?", re.ASCII)

_MISSING_EXTENSIONS = (
    "SELECT name FROM unnest(%s::text[]) AS name EXCEPT SELECT extname::text FROM pg_extension ORDER BY 1"
)
_MISSING_ROLES = (
    "SELECT name FROM unnest(%s::text[]) AS name EXCEPT SELECT rolname::text FROM pg_roles ORDER BY 1"
)


def inquiry(check: Asking, fenced: datetime | None, tolerance: timedelta) -> Inquiry:
    """Make this check; fenced: when the fence was placed, None where no mark tells."""
    match check:
        case QueryCheck():
            return _query(check)
        case FreshnessCheck():
            return _freshness(check, fenced, tolerance)
        case ExtensionsCheck():
            return _required(check, _MISSING_EXTENSIONS)
        case RolesCheck():
            return _required(check, _MISSING_ROLES)
        case TableCheck():
            return table_inquiry(check)
        case SequencesCheck():
            return sequences_inquiry(check)


def _query(check: QueryCheck) -> Inquiry:
    wanted = [value for value in _values(check.expect) if isinstance(value, str)]
    width = max(LONGEST_VALUE, *map(len, wanted), 0) + 1
    limit = len(check.expect.rows) if isinstance(check.expect.rows, tuple) else 1
    return _expected(check, (yield Question(check.query, limit=limit, width=width)))


def _values(expect: Expect) -> list[Scalar]:
    """The values that are to be found, as far as they are spelled out."""
    if isinstance(expect.rows, tuple):
        return [value for row in expect.rows for value in row]
    return [] if isinstance(expect.equals, msgspec.UnsetType) else [expect.equals]


def _freshness(check: FreshnessCheck, fenced: datetime | None, tolerance: timedelta) -> Inquiry:
    return _fresh(check, (yield Question(check.query, width=LONGEST_VALUE)), fenced, tolerance)


def _required(check: ExtensionsCheck | RolesCheck, sql: str) -> Inquiry:
    answer = yield Question(sql, (check.required,), limit=len(check.required))
    missing = ", ".join(row[0] or "" for row in answer.rows)
    found = f"without {missing}" if missing else f"has {', '.join(check.required)}"
    return finding(check, found, ", ".join(check.required), good=not missing,
                   bad=f"{check.kind} that the application needs are gone")  # fmt: skip


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
    if len(text) <= _SHOWN:
        return text
    return f"{text[:_SHOWN]}… ({len(text)} characters{' or more' if len(text) > LONGEST_VALUE else ''})"
