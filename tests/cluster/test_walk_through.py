"""The walk-through, line by line: Kubernetes, CSI snapshots, Kanister, PostgreSQL and CloudNativePG are real.

EDB's operator and Kasten are stand-ins.
"""

import pytest

from tests.cluster.application import NAME, Application
from tests.cluster.conftest import install
from tests.cluster.node.client import kubectl
from tests.cluster.node.processes import eventually
from tests.cluster.writer import kept, writing
from tests.lab.operator.names import CNPG, EDB

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1200)]

WAYS = [
    pytest.param((EDB, "policy"), id="edb-policy"),
    pytest.param((CNPG, "binding"), id="cloudnative-pg-binding"),
    pytest.param((EDB, "binding"), id="edb-binding", marks=pytest.mark.long),
    pytest.param((CNPG, "policy"), id="cloudnative-pg-policy", marks=pytest.mark.long),
]


@pytest.mark.parametrize("application", WAYS, indirect=True)
def test_backup_loss_restore_and_proof(application: Application) -> None:
    application.psql("CREATE TABLE links (id serial PRIMARY KEY, url varchar(255) NOT NULL)")
    application.psql("INSERT INTO links (url) VALUES ('https://kasten.io')")
    elected, system = application.elected, application.system_identifier()
    assert elected != application.primary
    volumes = application.volumes(elected)
    assert volumes == {elected, f"{elected}-wal", f"{elected}-tbs-archive"}
    assert application.included() == volumes

    content = _back_up_under_writes(application)
    assert application.snapshotted() == sorted(volumes)
    assert application.fenced == []
    assert application.record["verdict"] == "held"
    assert application.streaming(elected)

    application.delete_namespace()
    restored = application.restore(content)
    assert restored["status"]["state"] == "Complete", restored["status"]
    application.await_ready()
    assert application.primary == elected, "the fenced replica leads"
    assert application.system_identifier() == system, "without initdb"
    assert len(application.instances()) == 3
    application.await_client()
    assert application.psql("SELECT url FROM links") == "https://kasten.io"
    _verify_by_job(application)


def _back_up_under_writes(application: Application) -> str:
    """Name of the exported content; every commit that was acknowledged meanwhile is there."""
    with writing(application) as seen:
        action = application.back_up()
    assert action["status"]["state"] == "Complete", action["status"]
    [commits], [point] = seen, action["status"]["restorePoints"]
    print(f"\n{len(commits.numbers)} commits, longest gap {commits.longest_gap:.2f} s")  # noqa: T201 - reported
    assert set(commits.numbers) <= kept(application), "an acknowledged commit is lost"
    return str(point["name"])


def _verify_by_job(application: Application) -> None:
    """The chart's; the restore has been verified before, by its hook."""
    namespace = application.namespace
    entry = ("verifications[0].name=edb", f"verifications[0].namespace={namespace}")
    install(application.dialect, application.mode, *entry)
    [job] = kubectl("get", "jobs", "--namespace", namespace, "-o", "name").split()
    conditions = ["get", "--namespace", namespace, job, "-o", "jsonpath={.status.conditions[*].type}"]
    eventually("the Job to end", lambda: "Complete" in kubectl(*conditions), 120)
    report = kubectl("logs", "--namespace", namespace, job)
    assert "###Phase-output###" in report
    assert NAME in report
