"""doctor against real PostgreSQL and a whole installation; and whether the morning shows what it told."""

import json
from collections.abc import Iterator

import pytest

from tests.installed import install, uninstall
from tests.lab.lab import Lab
from tests.lab.operator.names import CNPG
from tests.scenarios.protected import ELECTED, Manifest, Protected

pytestmark = pytest.mark.lab


@pytest.fixture
def installed(lab: Lab) -> Iterator[Lab]:
    yield lab
    uninstall(lab.store)


def examined(cluster: Protected) -> tuple[int, dict[str, Manifest]]:
    done = cluster.kanfunc("doctor", "--format", "json")
    assert done.returncode in {0, 2}, done.stderr
    [examination] = json.loads(done.stdout)
    assert examination["would_be_proven"] is (done.returncode == 0)
    return done.returncode, {each["check"]: each for each in examination["diagnoses"]}


def test_what_it_says_in_the_evening_the_morning_shows(protected: Protected, installed: Lab) -> None:
    install(installed.store, protected.namespace)
    code, checks = examined(protected)
    wrong = {name: each for name, each in checks.items() if each["grade"] != "good"}
    assert code == 0, checks
    young = {"WAL retention", "disk of the primary"}
    assert wrong.keys() == {"operator version", *young}, wrong  # the stand-in writes no version
    assert {each["grade"] for each in wrong.values()} == {"not checked"}
    assert "statistics cover" in wrong["WAL retention"]["found"]
    assert ELECTED in checks["election"]["found"]
    protected.proven_export()

    assert protected.fence().returncode == 0
    code, checks = examined(protected)
    assert code == 0, "a dead run's fence is taken over, or released"
    assert checks["record"]["grade"] == "warning"
    assert checks["marks"]["grade"] == "good"
    assert protected.fence().returncode == 0
    assert protected.unfence(outcome="failure").returncode == 0


def test_a_cluster_that_would_lose_commits(pair: Protected, installed: Lab) -> None:
    install(installed.store, pair.namespace)
    code, checks = examined(pair)
    assert code == 2
    assert checks["replicas"]["grade"] == "bad"
    assert pair.fence().returncode == 3


def test_archive_of_the_primary_is_looked_at(archived: Protected, installed: Lab) -> None:
    install(installed.store, archived.namespace)
    _, checks = examined(archived)
    assert "it works" in checks["archive"]["found"]


def test_cloudnative_pg_before_and_after_an_election(lab: Lab, installed: Lab) -> None:
    asked = {"kanfunc.io/addons": '["kasten"]'}
    lab.create_cluster("asked", dialect=CNPG, addons=None, annotations=asked)
    cluster = Protected(lab, "asked", dialect=CNPG)
    install(installed.store, "asked")
    code, checks = examined(cluster)
    assert code == 2
    assert "kanfunc elect" in checks["election"]["remedy"]
    assert cluster.kanfunc("elect").returncode == 0
    assert examined(cluster)[0] == 0
    cluster.delete_namespace()
