"""The walk-through, line by line, on real Kubernetes, CloudNativePG, CSI snapshots and Kanister."""

import pytest

from tests.cluster.application import NAME, Application
from tests.cluster.conftest import upgrade
from tests.cluster.node.client import kubectl
from tests.cluster.node.processes import eventually
from tests.lab.kasten import State

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1200)]


def test_bound_to_a_cloudnative_pg_cluster(application: Application) -> None:
    application.psql("CREATE TABLE links (id serial PRIMARY KEY, url varchar(255) NOT NULL)")
    application.psql("INSERT INTO links (url) VALUES ('https://kasten.io')")
    elected, system = application.elected, application.system_identifier()
    assert elected
    assert elected != application.primary

    with application.writing() as seen:
        action = application.back_up()
    assert action.state is State.COMPLETE, action.error
    assert action.restore_point

    [commits] = seen
    print(f"\n{len(commits.numbers)} commits, longest gap {commits.longest_gap:.2f} s")  # noqa: T201 - reported
    written = application.psql("SELECT string_agg(number::text, ' ' ORDER BY number) FROM ticks").split()
    assert set(commits.numbers) <= {int(number) for number in written}, "an acknowledged commit is lost"
    assert application.snapshotted() == application.included() == {elected, f"{elected}-wal"}
    assert application.fenced == []
    assert application.record["verdict"] == "held"
    assert application.streaming(elected)

    application.delete_namespace()
    restored = application.restore(action.restore_point)
    assert restored.state is State.COMPLETE, restored.error
    application.await_ready()
    assert application.primary == elected, "the fenced replica leads"
    assert application.system_identifier() == system, "without initdb"
    assert len(application.instances()) == 3
    application.start_client()
    assert application.psql("SELECT url FROM links") == "https://kasten.io"

    upgrade("verifications[0].name=edb", f"verifications[0].namespace={application.namespace}")
    [job] = kubectl("get", "jobs", "--namespace", application.namespace, "-o", "name").split()
    eventually("the Job to end", lambda: "Complete" in _conditions(application, job), 120)
    report = kubectl("logs", "--namespace", application.namespace, job)
    assert "###Phase-output###" in report
    assert NAME in report


def _conditions(application: Application, job: str) -> str:
    return kubectl(
        "get", "--namespace", application.namespace, job, "-o", "jsonpath={.status.conditions[*].type}"
    )
