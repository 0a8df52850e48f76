"""Each damage that only the content shows, done to a real database, and the check that finds it."""

from datetime import timedelta
from pathlib import Path

import pytest

from kanfunc.domain.checksfile import read_checks
from kanfunc.domain.errors import Refused
from kanfunc.domain.finding import Finding, Status
from kanfunc.domain.timeline import PrimaryFacts
from kanfunc.gateways.console import SystemClock
from kanfunc.gateways.credentials import Credentials
from kanfunc.operations.content import ContentPlan, content_of
from tests.builders import NOW, REF
from tests.client.conftest import HOST, LONG_AGO, client, show, started
from tests.lab.certificates import Authority
from tests.lab.test_postgres import Site
from tests.machine.actors import Silence

pytestmark = pytest.mark.lab

EXAMPLES = Path(__file__).parents[2] / "examples"
"""The examples are what is tested."""
CHECKS = """
checks:
  - {name: password, kind: login, method: password, user: by_password}
  - {name: certificate, kind: login, method: certificate}
  - {name: links, kind: query, query: SELECT count(*) FROM links, expect: {equals: 2}}
  - {name: sequence, kind: query, query: "SELECT last_value >= (SELECT max(id) FROM links) FROM links_id_seq",
     expect: {equals: true}}
  - {name: fresh, kind: freshness, query: SELECT max(last_update) FROM links, max_age: 2d}
  - {name: extensions, kind: extensions, required: [plpgsql, amcheck]}
  - {name: roles, kind: roles, required: [app, by_password]}
  - {name: numbers, kind: sequences}
  - {name: exact, kind: table, table: links, count: 2, fingerprint: FINGERPRINT}
"""


def made(site: Site, folder: Path, text: str, server: str | None = None) -> dict[str, Finding]:
    checks, digest = read_checks(text.encode(), "checks.yaml")
    plan = ContentPlan(checks, digest, client(site, folder), HOST)
    facts = PrimaryFacts(
        system_identifier="7", timeline=1, xid_status=None, started=server or started(site), version="15.18"
    )
    findings = content_of(
        REF, plan, Silence(), SystemClock(),
        facts=facts, fenced=NOW, tolerance=timedelta(seconds=30),
    )  # fmt: skip
    return {finding.check: finding for finding in findings}


def spoiled(findings: dict[str, Finding]) -> dict[str, Status]:
    return {name: finding.status for name, finding in findings.items() if not finding.passed}


@pytest.fixture
def checks(site: Site, folder: Path) -> str:
    """With the fingerprint of the undamaged table, as an earlier report told it."""
    site.primary.sql("CREATE EXTENSION IF NOT EXISTS amcheck", dbname="app")
    found = made(site, folder, CHECKS.replace("FINGERPRINT", "0" * 64))["exact"].found
    return CHECKS.replace("FINGERPRINT", found.rpartition(" ")[2])


def test_undamaged_database_passes(site: Site, folder: Path, checks: str) -> None:
    assert spoiled(made(site, folder, checks)) == {}


def test_example_passes_on_the_seed_s_table(site: Site, folder: Path) -> None:
    assert spoiled(made(site, folder, (EXAMPLES / "checks.yaml").read_text())) == {}


@pytest.mark.parametrize(
    ("damage", "found_by"),
    [
        ("DELETE FROM links WHERE id = 2", {"links", "exact"}),
        ("UPDATE links SET name = 'EdB' WHERE id = 2", {"exact"}),
        ("UPDATE links SET name = '' WHERE id = 2", {"exact"}),
        ("UPDATE links SET name = NULL WHERE id = 2", {"exact"}),
        ("INSERT INTO links VALUES (3, 'u', 'n', '2026-11-23')", {"links", "exact", "sequence", "numbers"}),
        ("UPDATE links SET last_update = '2026-11-01'", {"fresh", "exact"}),
        ("SELECT setval('links_id_seq', 1)", {"sequence", "numbers"}),
        ("DROP EXTENSION amcheck", {"extensions"}),
        ("ALTER TABLE links RENAME url TO address", {"exact"}),
        ("ALTER TABLE links ALTER last_update TYPE timestamp", {"exact"}),
    ],
)  # fmt: skip
def test_damage_is_found_by(site: Site, folder: Path, checks: str, damage: str, found_by: set[str]) -> None:
    site.primary.sql(damage, dbname="app")
    assert spoiled(made(site, folder, checks)) == dict.fromkeys(found_by, Status.FAILED)


def test_table_that_was_dropped_is_missed(site: Site, folder: Path, checks: str) -> None:
    """With it went its sequence: there is none that could be behind."""
    site.primary.sql("DROP TABLE links", dbname="app")
    gone = dict.fromkeys(("links", "sequence", "fresh", "exact"), Status.FAILED)
    assert spoiled(made(site, folder, checks)) == {**gone, "numbers": Status.NOT_CHECKED}


def test_order_of_rows_is_no_damage(site: Site, folder: Path, checks: str) -> None:
    site.primary.sql("UPDATE links SET id = id WHERE id = 1", dbname="app")
    assert site.primary.sql("SELECT id FROM links", dbname="app") == [(2,), (1,)]
    assert spoiled(made(site, folder, checks)) == {}


def test_bad_login_is_a_failure_and_leaves_the_rest_not_checked(
    site: Site, folder: Path, checks: str
) -> None:
    show(folder / "app", site.authority.client("app", not_after=LONG_AGO))
    (folder / "by_password" / "password").write_text("carp")
    findings = made(site, folder, checks)
    assert {name for name, each in findings.items() if each.status is Status.FAILED} == {
        "password",
        "certificate",
    }
    assert len(spoiled(findings)) == len(findings)
    assert "carp" not in repr(findings)


def test_wrong_authority_is_said_so(site: Site, folder: Path, checks: str) -> None:
    (folder / "ca.crt").write_bytes(Authority.create().certificate)
    assert "not the authority" in made(site, folder, checks)["certificate"].meaning


def test_source_that_answers_instead_is_found_out(site: Site, folder: Path, checks: str) -> None:
    findings = made(site, folder, checks, server="2026-11-23 10:00:00")
    assert set(spoiled(findings).values()) == {Status.FAILED}
    assert len(spoiled(findings)) == len(findings)
    assert "another server" in findings["links"].meaning


def test_what_may_not_be_read_or_takes_too_long_is_not_checked(site: Site, folder: Path) -> None:
    text = """
checks:
  - {name: secret, kind: query, query: SELECT count(*) FROM pg_authid, expect: {equals: 1}}
  - {name: slow, kind: query, query: SELECT pg_sleep(60), expect: {equals: 1}, timeout: 1s}
"""
    assert set(spoiled(made(site, folder, text)).values()) == {Status.NOT_CHECKED}


def test_missing_credentials_are_refused_before_anything(folder: Path) -> None:
    (folder / "app" / "tls.key").unlink()
    checks, _ = read_checks(b"checks: [{name: it, kind: login, method: certificate}]", "checks.yaml")
    with pytest.raises(Refused, match=r"app/tls\.key"):
        Credentials(folder).require(checks)
