"""verify-restore --depth content: the example's checks on a restored cluster, as its client logs in."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.lab.certificates import APPLICATION_ROLE
from tests.lab.lab import Completed
from tests.scenarios.protected import Protected
from tests.scenarios.test_verify_restore import report_of

pytestmark = pytest.mark.lab

CHECKS = Path(__file__).parents[2] / "examples" / "checks.yaml"
SEED = (
    "CREATE TABLE links (id SERIAL PRIMARY KEY, url TEXT NOT NULL, name TEXT NOT NULL, last_update DATE)",
    "ALTER TABLE links OWNER TO app",
    "INSERT INTO links (url, name, last_update) VALUES ('https://kasten.io', 'Kasten', NOW())",
)


def credentials(cluster: Protected, folder: Path) -> Path:
    """As the chart mounts the Secrets of the restored cluster."""
    cluster.lab.client_dsn(cluster.namespace, cluster.name)
    written = cluster.lab.workspace.directory("clients", f"{cluster.namespace}-{cluster.name}")
    (folder / APPLICATION_ROLE).mkdir(parents=True)
    shutil.copy(written / "ca.crt", folder / "ca.crt")
    for suffix in ("crt", "key"):
        target = folder / APPLICATION_ROLE / f"tls.{suffix}"
        shutil.copyfile(written / f"{APPLICATION_ROLE}.{suffix}", target)
    (folder / APPLICATION_ROLE / "uri").write_text(
        f"postgresql://app:swordfish@{cluster.name}-rw.production:5432/app"
    )
    return folder


def content(done: Completed) -> dict[str, str]:
    findings: list[dict[str, Any]] = report_of(done)["findings"]
    return {each["check"]: each["status"] for each in findings if each["tier"] == "content"}


def test_the_example_on_the_restored_cluster(protected: Protected, tmp_path: Path) -> None:
    for statement in SEED:
        protected.lab.primary(protected.namespace, protected.name).sql(statement, dbname="app")
    protected.restored(protected.proven_export())
    protected.await_healthy()
    primary = protected.lab.primary(protected.namespace, protected.name)
    port = str(primary.port)
    shown, reports = credentials(protected, tmp_path / "shown"), tmp_path / "reports"
    reports.mkdir()
    options = (
        "--depth",
        "content",
        "--checks",
        str(CHECKS),
        "--credentials",
        str(shown),
        "--client-port",
        port,
        "--install-amcheck",
    )
    done = protected.verify(*options, "--report", str(reports), "--ran-by", "the auditor")
    made = content(done)
    assert len(made) == 7, done.stderr
    assert set(made.values()) == {"passed"}, done.stdout
    report = report_of(done)
    assert report["ran_by"] == "the auditor"
    assert {each["tier"] for each in report["findings"]} == {"identity", "structure", "content"}
    assert report["proven"], done.stdout
    assert done.returncode == 0
    warned = [
        each["check"]
        for each in report["findings"]
        if each["status"] == "warning" and each["tier"] == "identity"
    ]
    assert warned == ["addresses of app"]
    pages = "".join(file.read_text() for file in reports.iterdir())
    assert "swordfish" not in done.stdout + done.stderr + pages

    page = protected.lab.kanfunc("report", str(reports / f"{protected.namespace}-{protected.name}.html"))
    assert page.returncode == 0, page.stderr
    assert report["sha256"] in page.stdout
    assert report["sha256"] in done.stderr, "the log keeps the hash, too"

    primary.sql("DELETE FROM links", dbname="app")
    emptied = protected.verify(*options)
    assert emptied.returncode == 2
    failed = {check for check, status in content(emptied).items() if status == "failed"}
    assert failed == {"the first link", "links are there", "links were fresh when the backup was taken"}

    source = Path(shown / "ca.crt")
    source.write_bytes(source.read_bytes().replace(b"CERTIFICATE", b"NOTHING"))
    shut_out = protected.verify(*options)
    assert shut_out.returncode == 2
    assert set(content(shut_out).values()) == {"failed", "not checked"}
    assert json.loads(shut_out.stderr.splitlines()[-1])["exit"] == 2
