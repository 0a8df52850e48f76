"""A fence that must not be placed: exit 3, a message that helps, and nothing changed."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.lab.apiserver import EDB_BACKUPS, EDB_CLUSTERS, PODS, PVCS
from tests.lab.operator.decorations import ELECTED as ELECTED_LABEL
from tests.lab.operator.decorations import EXCLUDED, HAS_HOOKS
from tests.lab.operator.names import EDB
from tests.scenarios.protected import ELECTED, OTHER, PRIMARY, RECORD, Protected, told

pytestmark = pytest.mark.lab

Manifest = dict[str, Any]


def world_of(cluster: Protected) -> list[tuple[str, str, Any, Any]]:
    """What a refusal must leave as it was: labels and annotations of everything, and who runs."""
    objects = [
        (
            kind.plural,
            found["metadata"]["name"],
            found["metadata"].get("labels"),
            found["metadata"].get("annotations"),
        )
        for kind in (EDB_CLUSTERS, PODS, PVCS)
        for found in cluster.lab.store.list(kind, cluster.namespace)
    ]
    pods = cluster.lab.store.list(PODS, cluster.namespace)
    runs = [
        ("running", pod["metadata"]["name"], cluster.running(pod["metadata"]["name"]), None) for pod in pods
    ]
    return [*objects, *runs]


def assert_refused(cluster: Protected, found: str, *options: str) -> None:
    before = world_of(cluster)
    done = cluster.fence(*options)
    line = told(done)
    assert (done.returncode, line["exit"]) == (3, 3)
    assert found in line["found"]
    assert line["expected"]
    assert line["next"]
    assert line["left"] == "everything"
    assert "###Phase-output###" not in done.stdout
    assert world_of(cluster) == before


@contextmanager
def annotated(cluster: Protected, key: str, value: str | None) -> Iterator[None]:
    before = cluster.annotations.get(key)
    cluster.annotate(key, value)
    yield
    cluster.annotate(key, before)


@pytest.mark.parametrize(("addons", "found"), [
    (None, "does not have the add-on kasten"),
    ('["velero"]', "does not have the add-on kasten"),
    ("kasten", "cannot be read"),
])  # fmt: skip
def test_without_the_addon(sturdy: Protected, addons: str | None, found: str) -> None:
    sturdy.lab.faults.pause_election()
    with annotated(sturdy, EDB.addons, addons):
        assert_refused(sturdy, found)


def test_without_an_election(sturdy: Protected) -> None:
    sturdy.lab.faults.pause_election()
    sturdy.label_pod(ELECTED, HAS_HOOKS, None)
    assert_refused(sturdy, "no pod of Cluster")
    sturdy.label_pod(ELECTED, HAS_HOOKS, "true")


def test_when_the_primary_is_elected(sturdy: Protected) -> None:
    sturdy.lab.faults.pause_election()
    sturdy.label_pod(ELECTED, HAS_HOOKS, None)
    sturdy.label_pod(PRIMARY, HAS_HOOKS, "true")
    assert_refused(sturdy, f"the elected instance {PRIMARY} is the primary")
    sturdy.label_pod(PRIMARY, HAS_HOOKS, None)
    sturdy.label_pod(ELECTED, HAS_HOOKS, "true")


def test_without_another_streaming_replica(pair: Protected) -> None:
    assert_refused(pair, "0 replica(s)")


@pytest.mark.parametrize(("claim", "label", "value"), [
    (ELECTED, EXCLUDED, "true"),
    (ELECTED, ELECTED_LABEL, None),
    (OTHER, EXCLUDED, None),
    (PRIMARY, ELECTED_LABEL, "true"),
])  # fmt: skip
def test_when_kasten_would_snapshot_the_wrong_volumes(
    sturdy: Protected, claim: str, label: str, value: str | None
) -> None:
    sturdy.lab.faults.pause_election()
    before = sturdy.lab.store.get(PVCS, sturdy.namespace, claim)["metadata"]["labels"].get(label)
    sturdy.label_volume(claim, label, value)
    assert_refused(sturdy, f"PersistentVolumeClaim {claim}")
    sturdy.label_volume(claim, label, before)


@pytest.mark.parametrize("entries", [[OTHER], [ELECTED], ["*"]])
def test_when_somebody_else_has_fenced(sturdy: Protected, entries: list[str]) -> None:
    sturdy.lab.faults.ignore_fence = True
    sturdy.set_fenced(*entries)
    assert_refused(sturdy, "has a fence that is not ours")
    sturdy.set_fenced()


@pytest.mark.parametrize("command", ["/controller/manager hook", "[]", '{"a": 1}', '[""]', "[1]"])
def test_when_the_hook_annotation_is_no_argv(sturdy: Protected, command: str) -> None:
    sturdy.lab.faults.pause_election()
    key = "kasten-enterprisedb.io/pre-backup-command"

    def annotate(value: str) -> Callable[[Manifest], None]:
        return lambda pod: pod["metadata"]["annotations"].update({key: value})

    before = sturdy.lab.store.get(PODS, sturdy.namespace, ELECTED)["metadata"]["annotations"][key]
    sturdy.lab.store.update(PODS, sturdy.namespace, ELECTED, annotate(command))
    assert_refused(sturdy, key)
    sturdy.lab.store.update(PODS, sturdy.namespace, ELECTED, annotate(before))


def test_when_our_own_record_cannot_be_read(sturdy: Protected) -> None:
    with annotated(sturdy, RECORD, '{"id": 7}'):
        assert_refused(sturdy, "cannot be read")


def test_while_the_operators_own_backup_runs(sturdy: Protected) -> None:
    backup = {
        "apiVersion": EDB_BACKUPS.api_version,
        "kind": EDB_BACKUPS.kind,
        "metadata": {"name": "nightly", "namespace": sturdy.namespace},
        "spec": {"cluster": {"name": sturdy.name}},
    }
    sturdy.lab.store.create(EDB_BACKUPS, backup)
    assert_refused(sturdy, "Backup nightly")
    sturdy.lab.store.delete(EDB_BACKUPS, sturdy.namespace, "nightly")


def test_an_unknown_cluster_name(sturdy: Protected) -> None:
    assert_refused(sturdy, "has no Cluster nonesuch", "--cluster", "nonesuch")


def test_an_unknown_namespace(sturdy: Protected) -> None:
    done = sturdy.lab.kanfunc("fence", "--namespace", "nowhere")
    assert done.returncode == 3
    assert "no Cluster in namespace nowhere" in told(done)["found"]


def test_one_unprotected_cluster_keeps_all_of_the_namespace_from_being_fenced(sturdy: Protected) -> None:
    sturdy.lab.create_cluster(sturdy.namespace, "another", instances=1, addons=None)
    done = sturdy.fence()
    assert done.returncode == 3
    assert "another does not have the add-on" in told(done)["found"]
    assert json.dumps(sturdy.record) == "{}"
    assert sturdy.running()
    sturdy.lab.store.delete(EDB_CLUSTERS, sturdy.namespace, "another")
