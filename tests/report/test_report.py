"""A report that was kept: shown again, and found out where it is not as it was written."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from kanfunc.domain.codec import encode
from kanfunc.domain.report import Report, digest_of, faults, read_report
from kanfunc.gateways.html import extract, render
from tests.commandline import kanfunc, last_line
from tests.report.samples import HOSTILE, bad, good
from tests.report.schema import schemas

Edit = Callable[[str], str]


@pytest.mark.parametrize("made", [good, bad])
def test_page_holds_the_whole_report(made: Callable[[], Report]) -> None:
    report = made()
    page = render(report)
    assert read_report(extract(page)) == report
    assert faults(report, extract(page)) == []
    assert HOSTILE not in page.partition('id="report">')[0]


def test_page_needs_nothing_else() -> None:
    page = render(bad())
    assert not any(word in page for word in ("http:", "https:", "url(", "@import", "<link", "<img"))
    assert page.count("<script") == 1


def test_verdict_of_a_later_version_is_still_hashed() -> None:
    """A field that this version does not know is part of the hash, and of nothing else."""
    later = json.loads(encode(good())) | {"sha256": "", "newer": [1.5, "é"]}
    text = json.dumps(later | {"sha256": digest_of(json.dumps(later))}, indent=1)
    assert faults(read_report(text), text) == []


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (lambda text: text.replace('"proven":false', '"proven":true'), "does not have the hash"),
        (lambda text: text.replace("failed", "passed"), "does not have the hash"),
        (lambda text: text.replace("15.18", "15.19"), "does not have the hash"),
    ],
)
@pytest.mark.parametrize("suffix", ["json", "html"])
def test_changed_report_is_found_out(edit: Edit, said: str, suffix: str, tmp_path: Path) -> None:
    whole = encode(bad()) if suffix == "json" else render(bad())
    assert edit(whole) != whole
    file = tmp_path / f"report.{suffix}"
    file.write_text(whole)
    intact = kanfunc("report", str(file))
    assert intact.returncode == 0
    assert intact.stdout.startswith("edb/cluster-example: NOT PROVEN")
    assert bad().sha256 in intact.stdout
    file.write_text(edit(whole))
    changed = kanfunc("report", str(file))
    assert changed.returncode == 2
    assert said in last_line(changed)["found"]


def test_page_that_shows_something_else_is_found_out(tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    file.write_text(render(bad()).replace("Not proven", "Proven: content"))
    changed = kanfunc("report", str(file))
    assert changed.returncode == 2
    assert "does not show what is embedded" in last_line(changed)["found"]


def test_evidence_has_its_own_hash() -> None:
    text = encode(good()).replace("fence-1", "fence-2")
    unsealed = json.loads(text) | {"sha256": ""}
    resealed = json.dumps(unsealed | {"sha256": digest_of(json.dumps(unsealed))})
    assert faults(read_report(resealed), resealed) == [
        "evidence mark does not have the hash that is named with it"
    ]


@pytest.mark.parametrize("text", ["", "{}", "<html></html>", "[]", "null", "\x00", '{"sha256":""}'])
def test_what_is_no_report_is_refused(text: str, tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    file.write_text(text)
    refused = kanfunc("report", str(file))
    assert refused.returncode == 3
    assert "cannot be read as a report" in last_line(refused)["found"]


@pytest.mark.parametrize("file", schemas(), ids=lambda file: file.name)
def test_published_schema_is_that_of_the_model(file: Path) -> None:
    assert file.read_text(encoding="utf-8") == schemas()[file], "run `make blueprints`"
