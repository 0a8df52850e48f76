"""For each kind of damage, the depth of verify-restore that finds it, with data checksums and without."""

import os
from collections.abc import Iterator

import pytest

from kanfunc.domain.finding import Status
from kanfunc.domain.report import Report
from tests.damage.kinds import CONTENT, IDENTITY, KINDS, LOST, NOTHING, START, STRUCTURE, Found, Kind
from tests.damage.restoring import DATABASE, Backups, fingerprints_of, make_backups, restored, start, verify
from tests.lab.lab import Lab

pytestmark = pytest.mark.lab

ALL = bool(os.environ.get("KANFUNC_DAMAGE_ALL"))
"""Also those kinds without checksums that checksums have no part in."""


@pytest.fixture(scope="module")
def backups() -> Iterator[Backups]:
    with Lab.open() as lab:
        yield make_backups(lab)


@pytest.fixture(scope="module")
def fingerprints(backups: Backups) -> dict[str, str]:
    return fingerprints_of(backups)


CASES = [(kind, True) for kind in KINDS] + [(kind, False) for kind in KINDS if ALL or kind.on != kind.off]


@pytest.mark.parametrize(
    ("kind", "checksums"), CASES, ids=[f"{kind.name}, {'on' if on else 'off'}" for kind, on in CASES]
)
def test_damage_is_found(
    backups: Backups, fingerprints: dict[str, str], kind: Kind, *, checksums: bool
) -> None:
    expected = kind.on if checksums else kind.off
    with restored(backups, checksums=checksums) as copied:
        kind.do(copied)
        trouble = start(copied)
        if expected.depth == START:
            assert trouble
            return
        assert not trouble
        deep = expected.depth in {CONTENT, NOTHING}
        report = verify(copied, kind.then, fingerprints if deep else None)
    assert_found(report, expected)


BY_PAGE = [
    (kind, checksums)
    for kind in KINDS
    for found, checksums in ((kind.on, True), (kind.off, False))
    if found == LOST and (checksums is False or ALL)
]


@pytest.mark.parametrize(("kind", "checksums"), BY_PAGE, ids=[kind.name for kind, _ in BY_PAGE])
def test_lost_pages_are_found_by_pg_visibility_elsewhere(
    backups: Backups, kind: Kind, *, checksums: bool
) -> None:
    with restored(backups, checksums=checksums) as copied:
        kind.do(copied)
        assert not start(copied)
        installed = "create schema apart; create extension pg_visibility schema apart"
        report = verify(copied, lambda server: server.sql(installed, dbname=DATABASE))
    assert_found(report, LOST)
    [finding] = (finding for finding in report.findings if finding.check == LOST.check)
    assert "pages, the first is" in finding.found


def assert_found(report: Report, expected: Found) -> None:
    bad = {(f.tier.value, f.check): f for f in report.findings if f.status is not Status.PASSED}
    told = "\n".join(map(str, bad.values()))
    spoiling = {tier for (tier, _), finding in bad.items() if finding.spoils}
    assert report.proven is not bool(spoiling)
    if expected.depth == NOTHING:
        assert not spoiling, told
        return
    found = bad.get((expected.depth, expected.check))
    assert found, told
    assert found.status is (Status.WARNING if expected.warns else Status.FAILED)
    before = {IDENTITY: set(), STRUCTURE: {IDENTITY}, CONTENT: {IDENTITY, STRUCTURE}}[expected.depth]
    assert not spoiling & before, told
    assert expected.warns is not bool(spoiling), told
