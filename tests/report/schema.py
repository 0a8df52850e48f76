"""The schemas of reports and of files of checks, made from their models; run as a module it writes them."""

import json
from pathlib import Path
from typing import Any

import msgspec

from kanfunc.domain.checks import Checks
from kanfunc.domain.lsn import Lsn
from kanfunc.domain.report import Report
from tests.chart.helm import REPOSITORY

DOCS = REPOSITORY / "docs"


def schemas() -> dict[Path, str]:
    """Content of every file."""
    return {
        DOCS / "report.schema.json": _schema(Report, "Report of verify-restore"),
        DOCS / "checks.schema.json": _schema(Checks, "Checks of a restored database"),
    }


def _schema(model: type, title: str) -> str:
    made = msgspec.json.schema(model, schema_hook=_position)
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": title}
    return json.dumps(head | made, indent=2) + "\n"


def _position(shape: type) -> dict[str, Any]:
    assert shape is Lsn
    return {
        "type": "string",
        "pattern": "^[0-9A-F]{1,8}/[0-9A-F]{1,8}$",
        "description": "A position in the write-ahead log, as PostgreSQL writes it.",
    }


if __name__ == "__main__":
    for file, text in schemas().items():
        file.write_text(text, encoding="utf-8")
