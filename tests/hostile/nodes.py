r"""Reading nodeToString's text: what PostgreSQL prints of a tree of its own (src/backend/nodes/outfuncs.c).

>>> [constant] = read("{CONST :consttype 25 :constvalue 4 [ 36 0 0 0 ] :names (\"a\\ b\")}")
>>> constant.name, constant.number("consttype"), constant["names"]
('CONST', 25, ['"a b"'])
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

_TOKEN = re.compile(r"[(){}]|(?:\\.|[^\s(){}\\])+", re.DOTALL)

Value: TypeAlias = Any
"""A token, a Node, a list of values, or several values where a field has more than one."""


@dataclass
class Node:
    """One node: its name, and its fields as they are printed."""

    name: str
    fields: dict[str, Value] = field(default_factory=dict)

    def __getitem__(self, key: str) -> Value:
        return self.fields[key]

    def number(self, key: str) -> int:
        """A field that holds an oid or another number; 0 where there is none."""
        value = self.fields.get(key, "0")
        return int(value) if isinstance(value, str) and value.isdecimal() else 0

    def numbers(self, key: str) -> list[int]:
        """A field that holds a list of oids, which begins with its kind."""
        value = self.fields.get(key)
        return [int(each) for each in value[1:]] if isinstance(value, list) and value[:1] == ["o"] else []

    def nodes(self, key: str) -> list["Node"]:
        """A field that holds a list of nodes, or one."""
        value = self.fields.get(key)
        values = value if isinstance(value, list) else [value]
        return [each for each in values if isinstance(each, Node)]

    def walk(self) -> Iterator["Node"]:
        """This node, and all below it."""
        yield self
        for value in self.fields.values():
            for below in _within(value):
                yield from below.walk()


def _within(value: Value) -> Iterator[Node]:
    if isinstance(value, Node):
        yield value
    elif isinstance(value, list):
        for each in value:
            yield from _within(each)


def read(text: str) -> list[Node]:
    """All trees of a text, which may be folded at its spaces."""
    tokens = _TOKEN.findall(text.replace("\\\n\t", "\\ "))
    tokens.reverse()
    return list(_within(_sequence(tokens, end="")))


def _sequence(tokens: list[str], end: str) -> list[Value]:
    found = []
    while tokens and tokens[-1] != end:
        found.append(_value(tokens))
    if end:
        tokens.pop()
    return found


def _value(tokens: list[str]) -> Value:
    token = tokens.pop()
    if token == "(":  # noqa: S105 - a bracket
        return _sequence(tokens, ")")
    if token == "{":  # noqa: S105 - a bracket
        return _node(_sequence(tokens, "}"))
    return re.sub(r"\\(.)", r"\1", token, flags=re.DOTALL)


def _node(parts: list[Value]) -> Node:
    node = Node(str(parts[0]) if parts else "")
    key = ""
    for part in parts[1:]:
        if isinstance(part, str) and part.startswith(":"):
            key = part[1:]
        elif key in node.fields:
            before = node.fields[key]
            node.fields[key] = [*before, part] if isinstance(before, list) else [before, part]
        else:
            node.fields[key] = part
    return node
