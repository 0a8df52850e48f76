"""When policies and the operator's ScheduledBackups begin, as minutes of the day."""

from dataclasses import dataclass

from kanfunc.domain.kasten import PolicySpec

_DAY = 24 * 60
_FIELDS = {"minute": (1, 60), "hour": (2, 24)}


@dataclass(frozen=True)
class ScheduledBackup:
    """A ScheduledBackup of the operator; `schedule` is cron with seconds."""

    name: str
    schedule: str
    suspended: bool


def policy_minutes(spec: PolicySpec) -> frozenset[int] | None:
    """Minutes of the day at which it may begin; None where its frequency is not known, none on demand."""
    frequency, sub = spec.frequency or "@onDemand", spec.sub_frequency
    minutes = set((sub.minutes if sub else None) or (0,)) & set(range(60))
    hours = set((sub.hours if sub else None) or (0,)) & set(range(24))
    if frequency == "@onDemand":
        return frozenset()
    if frequency == "@hourly":
        hours = set(range(24))
    elif frequency not in {"@daily", "@weekly", "@monthly", "@yearly"}:
        return None
    return frozenset(hour * 60 + minute for hour in hours for minute in minutes)


def cron_minutes(schedule: str) -> frozenset[int] | None:
    """Minutes of the day at which it begins, on whatever days; None where it cannot be read.

    >>> sorted(cron_minutes("0 30 2,14 * * *"))
    [150, 870]
    >>> cron_minutes("@every 1h") is None
    True
    """
    named = {"@hourly": "0 0 * * * *", "@daily": "0 0 0 * * *", "@midnight": "0 0 0 * * *"}
    fields = named.get(schedule, schedule).split()
    if len(fields) != 6:  # noqa: PLR2004 - seconds, minutes, hours, and three for the day
        return None
    try:
        minutes, hours = (_values(fields[place], limit) for place, limit in _FIELDS.values())
    except ValueError:
        return None
    return frozenset(hour * 60 + minute for hour in hours for minute in minutes)


def _values(field: str, limit: int) -> set[int]:
    found: set[int] = set()
    for part in field.split(","):
        span, _, step = part.partition("/")
        first, dash, last = span.partition("-")
        if span in {"*", "?"}:
            begin, end = 0, limit - 1
        else:
            begin = int(first)
            end = int(last) if dash else limit - 1 if step else begin
        found.update(range(begin, min(end, limit - 1) + 1, int(step or 1)))
    return found


def meet(ours: frozenset[int], theirs: frozenset[int], minutes: int) -> int | None:
    """The first minute of the day at which theirs begins within so many minutes of ours, before or after."""
    near = (each for each in sorted(theirs) for own in ours if _apart(each, own) <= minutes)
    return next(near, None)


def _apart(one: int, other: int) -> int:
    distance = abs(one - other) % _DAY
    return min(distance, _DAY - distance)
