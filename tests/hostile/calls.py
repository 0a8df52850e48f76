"""The calls in parse trees, and the types of their arguments before PostgreSQL converted them.

Those types are what an attacker aims at: a function that takes them as they are wins over one that does not.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from tests.hostile.nodes import Node
from tests.hostile.parsetree import TYPES

_IMPLICIT = 2  # COERCE_IMPLICIT_CAST
_COERCIONS = {
    "RELABELTYPE": "relabelformat",
    "FUNCEXPR": "funcformat",
    "COERCEVIAIO": "coerceformat",
    "ARRAYCOERCEEXPR": "coerceformat",
    "COERCETODOMAIN": "coercionformat",
    "CONVERTROWTYPEEXPR": "convertformat",
}
_TRUE_OR_FALSE = {"BOOLEXPR", "NULLTEST", "BOOLEANTEST", "SCALARARRAYOPEXPR", "ROWCOMPAREEXPR"}
_OPERATIONS = {"OPEXPR", "DISTINCTEXPR", "NULLIFEXPR", "SCALARARRAYOPEXPR"}
BOOL, TEXT = 16, 25
_VALUE, _ARRAY = 4, 6  # EXPR_SUBLINK, ARRAY_SUBLINK


@dataclass(frozen=True)
class Argument:
    """type: oid, 0 where it cannot be told. literal: it may have been a literal of no type."""

    type: int
    literal: bool = False
    name: str = ""


@dataclass(frozen=True)
class Call:
    """Of a function or an operator. kind: pg_proc, pg_operator."""

    kind: str
    oid: int
    arguments: tuple[Argument, ...]
    result: int
    star: bool = False
    aggregate: bool = False
    elements: bool = False
    """Of an operator: its right side is an array, whose elements it takes (ANY, IN)."""


def calls(tree: Node) -> Iterator[Call]:
    """Every call that has a name; casts are told by their types."""
    for node in tree.walk():
        if node.name == "FUNCEXPR" and node.number("funcformat") not in {1, _IMPLICIT}:
            yield Call(
                "pg_proc", node.number("funcid"), _arguments(node, "args"), node.number("funcresulttype")
            )
        elif node.name == "AGGREF":
            yield Call(
                "pg_proc",
                node.number("aggfnoid"),
                _arguments(node, "aggdirectargs") + _arguments(node, "args"),
                node.number("aggtype"),
                star=node["aggstar"] == "true",
                aggregate=True,
            )
        elif node.name == "WINDOWFUNC":
            star = node["winstar"] == "true" or not node.nodes("args")
            result = node.number("wintype")
            yield Call(
                "pg_proc", node.number("winfnoid"), _arguments(node, "args"), result, star, aggregate=True
            )
        elif node.name in _OPERATIONS:
            result, elements = node.number("opresulttype") or BOOL, node.name == "SCALARARRAYOPEXPR"
            yield Call(
                "pg_operator", node.number("opno"), _arguments(node, "args"), result, elements=elements
            )


def _arguments(node: Node, key: str) -> tuple[Argument, ...]:
    found: list[Argument] = []
    for each in node.nodes(key):
        bare = stripped(each)
        spread = bare.nodes("elements") if bare.name in {"ARRAYEXPR", "ARRAY"} else []
        if spread and node.fields.get("funcvariadic") == "true":
            found += [_argument(stripped(element)) for element in spread]
        else:
            found.append(_argument(bare, each))
    return tuple(found)


def _argument(bare: Node, whole: Node | None = None) -> Argument:
    named = whole is not None and whole.name == "NAMEDARGEXPR"
    return Argument(
        type_of(bare),
        literal=bare.name == "CONST",
        name=str(whole["name"]) if named and whole is not None else "",
    )


def stripped(node: Node) -> Node:
    """What stands below conversions that nobody has asked for."""
    while True:
        if node.name in {"NAMEDARGEXPR", "TARGETENTRY"}:
            inner = node.nodes("arg") + node.nodes("expr")
        elif node.name in _COERCIONS and node.number(_COERCIONS[node.name]) == _IMPLICIT:
            inner = node.nodes("arg") + node.nodes("args")
        else:
            return node
        node = inner[0]


def type_of(node: Node) -> int:
    """Oid of the type of its result; 0 where it cannot be told."""
    if node.name in _TRUE_OR_FALSE:
        return BOOL
    if node.name == "SUBLINK":
        return _type_of_sublink(node)
    if node.name in {"NAMEDARGEXPR", "TARGETENTRY"}:
        return type_of(stripped(node))
    return next((node.number(key) for key in TYPES if node.number(key)), 0)


def _type_of_sublink(node: Node) -> int:
    if node.number("subLinkType") not in {_VALUE, _ARRAY}:
        return BOOL
    [query] = node.nodes("subselect")
    first = type_of(query.nodes("targetList")[0])
    return first if node.number("subLinkType") == _VALUE else 0
