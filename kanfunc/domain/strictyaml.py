"""YAML read strictly: scalars as in YAML 1.2, no aliases or tags, no key twice. Errors name the line."""

import re
from typing import Any, TypeVar

import msgspec
import yaml

from kanfunc.domain.codec import Malformed

T = TypeVar("T")
Path = tuple[str | int, ...]

_SCALARS = {"": None, "~": None, "null": None, "true": True, "false": False}
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]{0,99})")
_NUMBER = re.compile(r"[-+]?(0|[1-9][0-9]*)?(\.[0-9]+)?([eE][-+]?[0-9]{1,3})?")


class _Problem(yaml.MarkedYAMLError):
    def __init__(self, problem: str, mark: Any) -> None:
        super().__init__(problem=problem, problem_mark=mark)


class _Loader(yaml.SafeLoader):
    """Composes nodes: an alias could stand for itself, a tag for any type."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent) or event.anchor or event.tag:
            raise _Problem("anchors, aliases and tags are not read", event.start_mark)
        return super().compose_node(parent, index)


def read_strict(text: str, shape: type[T]) -> T:
    """Parse one YAML document into `shape`; raises Malformed with the line, and with the path in it."""
    lines: dict[Path, int] = {}
    try:
        root = yaml.compose(text, Loader=_Loader)
        plain = _plain(root, (), lines) if root else None
    except yaml.MarkedYAMLError as error:
        at = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise Malformed(f"{at}{error.problem}") from error
    except RecursionError as error:
        raise Malformed("nested too deeply") from error
    except (yaml.YAMLError, ValueError) as error:
        raise Malformed(str(error)) from error
    try:
        return msgspec.convert(plain, shape)
    except msgspec.ValidationError as error:
        raise Malformed(_located(str(error), lines)) from error


def _plain(node: Any, path: Path, lines: dict[Path, int]) -> Any:
    lines[path] = node.start_mark.line + 1
    if isinstance(node, yaml.SequenceNode):
        return [_plain(each, (*path, index), lines) for index, each in enumerate(node.value)]
    if isinstance(node, yaml.MappingNode):
        return _mapping(node, path, lines)
    node.value.encode()  # half a pair of surrogates is a ValueError here, rather than a crash later
    return _scalar(node.value) if node.style is None else node.value


def _mapping(node: yaml.MappingNode, path: Path, lines: dict[Path, int]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode):
            raise _Problem("a key must be a word", key.start_mark)
        if key.value in found:
            raise _Problem(f"key {key.value!r} stands there twice", key.start_mark)
        found[key.value] = _plain(value, (*path, key.value), lines)
        lines[*path, key.value] = key.start_mark.line + 1
    return found


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
