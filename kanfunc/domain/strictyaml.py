"""YAML read strictly: scalars as in YAML 1.2, no aliases or tags, no key twice. Errors name the line."""

import re
from math import isinf
from typing import Any, NamedTuple, TypeVar

import msgspec
import yaml

from kanfunc.domain.codec import Malformed, short

T = TypeVar("T")
Path = tuple[str | int, ...]

_SCALARS = {"": None, "~": None, "null": None, "true": True, "false": False}
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]{0,99})")
_NUMBER = re.compile(r"[-+]?(0|[1-9][0-9]*)?(\.[0-9]+)?([eE][-+]?[0-9]{1,3})?")


class _Problem(yaml.MarkedYAMLError):
    def __init__(self, problem: str, mark: Any) -> None:
        super().__init__(problem=problem, problem_mark=mark)


_PARSER: type = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml where there is one: it is ten times as fast."""
_DEEPEST = 100


def read_strict(text: str, shape: type[T]) -> T:
    """Parse one YAML document into `shape`; raises Malformed with the line, and with the path in it."""
    reading = _Reading()
    try:
        for event in yaml.parse(text, Loader=_PARSER):
            reading.take(event)
    except yaml.MarkedYAMLError as error:
        at = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise Malformed(f"{at}{error.problem}") from error
    except (yaml.YAMLError, ValueError) as error:
        raise Malformed(str(error)) from error
    try:
        return msgspec.convert(reading.whole, shape)
    except msgspec.ValidationError as error:
        raise Malformed(_located(str(error), reading.lines)) from error


class _Open(NamedTuple):
    """A list or mapping whose end has not come."""

    found: Any
    path: Path
    keys: list[str]
    """Of a mapping: the key whose value comes next, if it was read."""


class _Reading:
    """Makes plain data of the parser's events, one by one: neither its depth nor its size is a call's."""

    def __init__(self) -> None:
        self.whole: Any = None
        self.lines: dict[Path, int] = {}
        self._open: list[_Open] = []
        self._documents = 0

    def take(self, event: Any) -> None:
        """The next event; raises _Problem."""
        if isinstance(event, yaml.DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                raise _Problem("a second YAML document begins; only one is allowed", event.start_mark)
        elif isinstance(event, yaml.CollectionEndEvent):
            self._open.pop()
        elif isinstance(event, yaml.NodeEvent):
            self._take_node(event)

    def _take_node(self, event: Any) -> None:
        if isinstance(event, yaml.AliasEvent) or event.anchor or event.tag:
            raise _Problem(
                "anchors, aliases and tags are not allowed: quote a value that begins with &, * or !",
                event.start_mark,
            )
        within = self._open[-1] if self._open else None
        if within and isinstance(within.found, dict) and not within.keys:
            self._take_key(event, within)
            return
        path = self._place(event, within)
        if isinstance(event, yaml.ScalarEvent):
            self._put(_value(event), within)
            return
        if len(self._open) == _DEEPEST:
            raise _Problem("nested too deeply", event.start_mark)
        found: Any = [] if isinstance(event, yaml.SequenceStartEvent) else {}
        self._put(found, within)
        self._open.append(_Open(found, path, []))

    def _take_key(self, event: Any, within: _Open) -> None:
        if not isinstance(event, yaml.ScalarEvent):
            raise _Problem("a key must be a word", event.start_mark)
        if event.value in within.found:
            raise _Problem(f"key {short(event.value)} appears twice", event.start_mark)
        within.keys.append(event.value)
        self.lines[*within.path, event.value] = _line(event)

    def _place(self, event: Any, within: _Open | None) -> Path:
        """Of the node: that of a mapping's value is where its key stands."""
        if within is None:
            path: Path = ()
        elif within.keys:
            return (*within.path, within.keys[0])
        else:
            path = (*within.path, len(within.found))
        self.lines[path] = _line(event)
        return path

    def _put(self, value: Any, within: _Open | None) -> None:
        if within is None:
            self.whole = value
        elif within.keys:
            within.found[within.keys.pop()] = value
        else:
            within.found.append(value)


def _line(event: Any) -> int:
    return int(event.start_mark.line) + 1


def _value(event: Any) -> Any:
    event.value.encode()  # half a pair of surrogates is a ValueError here, rather than a crash later
    value = event.value if event.style else _scalar(event.value)
    if isinstance(value, float) and isinf(value):
        raise _Problem(f"{short(event.value)} is too large a number", event.start_mark)
    return value


def _scalar(text: str) -> str | float | bool | None:
    """By the core schema of YAML 1.2: by that of 1.1 `no` would be false, 12:30:00 45000, a date a date.

    >>> [_scalar(text) for text in ("no", "12:30:00", "2026-11-23", "007", "7", "-0.5", "1e3", "true", "~")]
    ['no', '12:30:00', '2026-11-23', '007', 7, -0.5, 1000.0, True, None]
    """
    if text in _SCALARS:
        return _SCALARS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if _NUMBER.fullmatch(text) and text[-1].isdigit() and text[0] not in "eE" else text


def _located(message: str, lines: dict[Path, int]) -> str:
    """The message of msgspec, which ends in a path such as "$.checks[2].expect", with the line before it."""
    problem, _, place = message.partition(" - at `$")
    unknown = re.search(r"unknown field `(.*)`", problem)
    steps = re.findall(r"\.([^.\[\]`]+)|\[(\d+)\]", place)
    path: Path = tuple(name or int(index) for name, index in steps)
    if unknown and (*path, unknown[1]) in lines:
        path = (*path, unknown[1])
    while path not in lines and path:
        path = path[:-1]
    where = place.rstrip("`").lstrip(".")
    return f"line {lines.get(path, 1)}: {where + ': ' if where else ''}{problem}"
