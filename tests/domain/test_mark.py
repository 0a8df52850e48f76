import json
from typing import Any

import pytest

from kanfunc.domain.codec import encode
from kanfunc.domain.mark import read_mark, read_verdict
from tests.domain.restored import mark, verdict


def test_reads_back_what_it_writes() -> None:
    assert read_mark(encode(mark())) == mark()
    assert read_verdict(encode(verdict())) == verdict()


def test_keys_of_a_newer_version_are_tolerated() -> None:
    assert read_mark(json.dumps({**json.loads(encode(mark())), "signature": "x"})) == mark()


def with_proof(**changes: Any) -> str:
    values = json.loads(encode(mark()))
    return json.dumps({**values, "proof": {**values["proof"], **changes}})


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "{}",
        "[]",
        "null",
        encode(mark())[:-1],
        encode(mark()) + "}",
        encode(verdict()),
        with_proof(timeline="one"),
        with_proof(end_of_wal="here"),
        with_proof(end_of_wal=5),
        with_proof(bound_at="2026-11-23T09:00:00"),
    ],
)
def test_edited_mark_is_no_mark(text: str) -> None:
    assert read_mark(text) is None


@pytest.mark.parametrize("text", ["", "{}", encode(mark()), encode(verdict())[1:]])
def test_edited_verdict_is_no_verdict(text: str) -> None:
    assert read_verdict(text) is None
