"""Checks as code: the file that says what must be found in a restored database. Strict: a check that is
written wrong must not look as if it were made.
"""

from collections import Counter
from typing import Annotated, Any

import msgspec

from kanfunc.domain.pattern import LONGEST_PATTERN, compiled

Scalar = str | int | float | bool | None
_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=63, pattern=r"^[^\x00]+$")]
"""An identifier of PostgreSQL, which has at most 63 bytes."""
_User = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,62}$")]
"""A role that logs in; a folder of that name holds what it shows."""
_Text = Annotated[str, msgspec.Meta(min_length=1)]
_Title = Annotated[str, msgspec.Meta(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f]+$")]
_Duration = Annotated[str, msgspec.Meta(pattern=r"^[1-9][0-9]{0,5}[smhd]$")]
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_WEEK, _DECADE = 7 * 86400, 3650 * 86400
_Pattern = Annotated[str, msgspec.Meta(max_length=LONGEST_PATTERN)]


def seconds_of(duration: str) -> int:
    """A duration of the file in seconds.

    >>> seconds_of("90s"), seconds_of("2d")
    (90, 172800)
    """
    return int(duration[:-1]) * _UNITS[duration[-1]]


def _require_at_most(most: int, **durations: str | None) -> None:
    for name, duration in durations.items():
        if duration and seconds_of(duration) > most:
            raise ValueError(f"{name}: {duration} is more than {most // 86400} days")


class _Strict(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class Expect(_Strict, frozen=True, kw_only=True):
    """What a query must come to: exactly one of these.

    Of one value: `equals` (a number is compared as one, anything else as PostgreSQL prints it), `at_least`,
    `between` (both ends belong to it), `matches` (a regular expression of RE2 for the whole value).
    `rows`: the whole result, in its order.
    """

    equals: Scalar | msgspec.UnsetType = msgspec.UNSET
    at_least: int | float | msgspec.UnsetType = msgspec.UNSET
    between: tuple[int | float, int | float] | msgspec.UnsetType = msgspec.UNSET
    matches: _Pattern | msgspec.UnsetType = msgspec.UNSET
    rows: tuple[tuple[Scalar, ...], ...] | msgspec.UnsetType = msgspec.UNSET

    def __post_init__(self) -> None:
        if len(self.given) != 1:
            raise ValueError("give exactly one of equals, at_least, between, matches, rows")
        if isinstance(self.between, tuple) and self.between[0] > self.between[1]:
            raise ValueError("between: the lower value must come first")
        if isinstance(self.matches, str):
            try:
                compiled(self.matches)
            except ValueError as error:
                raise ValueError(f"matches: not a regular expression of RE2: {error}") from error

    @property
    def given(self) -> dict[str, Any]:
        """The one that is there."""
        fields = {name: getattr(self, name) for name in self.__struct_fields__}
        return {name: value for name, value in fields.items() if value is not msgspec.UNSET}


class _Check(_Strict, frozen=True, kw_only=True, tag_field="kind"):
    """user: who logs in; role: whom it then becomes (SET ROLE)."""

    name: _Title
    database: _Name | None = None
    user: _User | None = None
    role: _Name | None = None
    timeout: _Duration | None = None

    def __post_init__(self) -> None:
        _require_at_most(_WEEK, timeout=self.timeout)

    @property
    def kind(self) -> str:
        """As the file calls it."""
        return str(self.__struct_config__.tag)


class QueryCheck(_Check, frozen=True, kw_only=True, tag="query"):
    """What one statement finds."""

    query: _Text
    expect: Expect


class FreshnessCheck(_Check, frozen=True, kw_only=True, tag="freshness"):
    """How old the newest data was when the fence was placed: a query for one timestamp."""

    query: _Text
    max_age: _Duration

    def __post_init__(self) -> None:
        super().__post_init__()
        _require_at_most(_DECADE, max_age=self.max_age)


class ExtensionsCheck(_Check, frozen=True, kw_only=True, tag="extensions"):
    """Extensions that the database must have."""

    required: Annotated[tuple[_Name, ...], msgspec.Meta(min_length=1)]


class RolesCheck(_Check, frozen=True, kw_only=True, tag="roles"):
    """Roles that must exist."""

    required: Annotated[tuple[_Name, ...], msgspec.Meta(min_length=1)]


class TableCheck(_Check, frozen=True, kw_only=True, tag="table"):
    """The exact rows of one table: their number, or the fingerprint of all of them in whatever order."""

    table: _Name
    schema: _Name = "public"
    count: Annotated[int, msgspec.Meta(ge=0)] | None = None
    fingerprint: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.count is None and self.fingerprint is None:
            raise ValueError("give count, or fingerprint, or both")


class SequencesCheck(_Check, frozen=True, kw_only=True, tag="sequences"):
    """Sequences of the database that give their own column's next value: none may be behind the column.

    except: sequences, as schema.name, that may be: some applications choose numbers themselves.
    """

    except_: tuple[_Text, ...] = msgspec.field(default=(), name="except")


class LoginCheck(_Check, frozen=True, kw_only=True, tag="login"):
    """The way of an application: verified TLS, a login, a temporary table written and read back."""

    method: Annotated[str, msgspec.Meta(pattern="^(password|certificate)$")]


Asking = QueryCheck | FreshnessCheck | ExtensionsCheck | RolesCheck | TableCheck | SequencesCheck
Check = Asking | LoginCheck


class Defaults(_Strict, frozen=True, kw_only=True):
    """Of all checks that do not say otherwise."""

    database: _Name = "app"
    user: _User = "app"
    role: _Name | None = None
    timeout: _Duration = "30s"

    def __post_init__(self) -> None:
        _require_at_most(_WEEK, timeout=self.timeout)


class Checks(_Strict, frozen=True, kw_only=True):
    """The file."""

    checks: Annotated[tuple[Check, ...], msgspec.Meta(min_length=1)]
    defaults: Defaults = Defaults()

    def __post_init__(self) -> None:
        names = Counter(check.name for check in self.checks)
        if twice := [name for name, times in names.items() if times > 1]:
            raise ValueError(f"several checks have the same name: {', '.join(sorted(twice))}")

    def database(self, check: Check) -> str:
        """Where it is made."""
        return check.database or self.defaults.database

    def user(self, check: Check) -> str:
        """Who logs in for it."""
        return check.user or self.defaults.user

    def role(self, check: Check) -> str | None:
        """Whom the user becomes."""
        return check.role or self.defaults.role

    def seconds(self, check: Check) -> int:
        """How long each of its statements may take."""
        return seconds_of(check.timeout or self.defaults.timeout)
