"""The table of damage in docs/verification.md: `python -m tests.damage.documented` writes it there."""

from collections.abc import Iterable
from pathlib import Path

from tests.damage.kinds import CONTENT, KINDS, NOTHING, START, Found, Kind

PAGE = Path(__file__).parents[2] / "docs" / "verification.md"
BEGIN, END = "<!-- damage: begin -->\n", "<!-- damage: end -->\n"

CHECKS = {"extension": "required extensions", "sequences": "the check `sequences`"}
"""What the checks of restoring.py are; those of tables have the tables' names."""

FINGERPRINT = "the table's fingerprint"

CLIENT = ("wrong certificate authority", "expired certificate", "wrong password")
"""Of the client path: tests/client/test_content.py has these."""


def table(kinds: Iterable[Kind]) -> str:
    rows = [
        f"| {kind.name} | {told(kind.on)} | {told(kind.off)} |"
        for kind in kinds
        if kind.name != "none at all"
    ]
    rows += [f"| {name} | content: the check `login` | content: the check `login` |" for name in CLIENT]
    return "\n".join(["| damage | with data checksums | without |", "|---|---|---|", *rows]) + "\n"


def told(found: Found) -> str:
    if found.depth == NOTHING:
        return "**nothing**"
    if found.depth == START:
        return "PostgreSQL does not come up (exit 1)"
    if found.depth == CONTENT:
        return f"content: {CHECKS.get(found.check or '', FINGERPRINT)}"
    return f"{found.depth}: {found.check}" + (" (a warning)" if found.warns else "")


def page(text: str) -> str:
    """The page with the table as it is now."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return before + BEGIN + table(KINDS) + END + after


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text()))
