"""Every message that the product can end with, in one list: `make messages`.

Read from the source, so that none is forgotten; what is put in at run time stands in braces.
"""

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from kanfunc.domain import errors, unexpected
from kanfunc.domain.errors import KanfuncError

ROOT = Path(__file__).parents[1]
KINDS: Mapping[str, type[KanfuncError]] = {
    name: value
    for module in (errors, unexpected)
    for name, value in vars(module).items()
    if isinstance(value, type) and issubclass(value, KanfuncError)
}
PARTS = ("expected", "left", "remedy")


@dataclass(frozen=True)
class Message:
    """Where it is made, of which kind, and its parts as far as they are given there."""

    place: str
    kind: str
    found: str
    parts: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        names = {"expected": "expected", "left": "left as it was", "remedy": "next"}
        lines = [f"{self.place} {self.kind} (exit {KINDS[self.kind].exit_code})", f"  {self.found}"]
        return "\n".join(lines + [f"  {names[part]}: {text}" for part, text in self.parts.items()])


def messages() -> Iterator[Message]:
    """In the order of the files."""
    for path in sorted((ROOT / "kanfunc").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in KINDS:
                parts = {each.arg: _text(each.value) for each in node.keywords if each.arg in PARTS}
                found = _text(node.args[0]) if node.args else ""
                yield Message(f"{path.relative_to(ROOT)}:{node.lineno}", node.func.id, found, parts)


def _text(node: ast.expr) -> str:
    """A string as it is written, with braces for what is put in."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(each) for each in node.values)
    if isinstance(node, ast.FormattedValue):
        return f"{{{ast.unparse(node.value)}}}"
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return _text(node.left) + _text(node.right)
    return f"{{{ast.unparse(node)}}}"


if __name__ == "__main__":
    print("\n\n".join(str(each) for each in messages()))  # noqa: T201
