"""The schema of a report's JSON, made from its model. `python -m tests.report.schema` writes it."""

import json
from typing import Any

import msgspec

from kanfunc.domain.lsn import Lsn
from kanfunc.domain.report import Report
from tests.chart.helm import REPOSITORY

FILE = REPOSITORY / "docs" / "report.schema.json"


def schema() -> str:
    made = msgspec.json.schema(Report, schema_hook=_position)
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Report of verify-restore"}
    return json.dumps(head | made, indent=2) + "\n"


def _position(shape: type) -> dict[str, Any]:
    assert shape is Lsn
    return {
        "type": "string",
        "pattern": "^[0-9A-F]{1,8}/[0-9A-F]{1,8}$",
        "description": "A position in the write-ahead log, as PostgreSQL writes it.",
    }


if __name__ == "__main__":
    FILE.write_text(schema(), encoding="utf-8")
