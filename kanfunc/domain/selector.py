"""Selectors over labels, with a third answer for what we do not know how to read."""

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase

import msgspec


class Shape(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A part of a manifest, as far as we read it."""


class Requirement(Shape, frozen=True):
    """One expression of a selector."""

    key: str = ""
    operator: str = "In"
    values: tuple[str, ...] = ()

    def meets(self, labels: Mapping[str, str]) -> bool | None:
        """Whether these labels meet it; values may hold `*`. None: an operator that we do not know."""
        value = labels.get(self.key)
        found = value is not None and any(fnmatchcase(value, pattern) for pattern in self.values)
        answers = {
            "In": found,
            "NotIn": not found,
            "Exists": value is not None,
            "DoesNotExist": value is None,
        }
        return answers.get(self.operator)


class Selector(Shape, frozen=True):
    """Labels that must be there; an empty one takes everything."""

    match_labels: dict[str, str] | None = None
    match_expressions: tuple[Requirement, ...] | None = None

    def meets(self, labels: Mapping[str, str]) -> bool | None:
        """Whether all of it is met; None where that cannot be said."""
        wanted = (self.match_labels or {}).items()
        simple = (Requirement(key=key, values=(value,)).meets(labels) for key, value in wanted)
        return every([*simple, *(each.meets(labels) for each in self.match_expressions or ())])


class Item(msgspec.Struct, frozen=True):
    """An object that a policy or binding takes, or not."""

    group: str
    resource: str
    namespace: str
    name: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    version: str = "v1"
    """That of all that is looked at: pods, volumes, and both operators' Clusters."""


def every(answers: Iterable[bool | None]) -> bool | None:
    """All of them; None where an unknown one decides.

    >>> every([True, None]), every([False, None]), every([])
    (None, False, True)
    """
    known = list(answers)
    return False if False in known else None if None in known else True


def some(answers: Iterable[bool | None]) -> bool | None:
    """At least one of them; None where an unknown one decides.

    >>> some([True, None]), some([False, None]), some([])
    (True, None, False)
    """
    known = list(answers)
    return True if True in known else None if None in known else False
