from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from threading import Event

import pytest

from tests.lab.apiserver import EDB_CLUSTERS, NAMESPACES, PODS, PVCS, SECRETS, VOLUME_SNAPSHOTS, Manifest
from tests.lab.kasten import HookResult, NamespaceLocked, Policy, RestorePoint, State
from tests.lab.lab import Lab
from tests.lab.operator.decisions import fence_list, lift_fence, place_fence
from tests.lab.operator.names import EDB
from tests.lab.postgres import Server

pytestmark = pytest.mark.lab

NAME = "cluster-example"
PRIMARY, ELECTED = f"{NAME}-1", f"{NAME}-2"
OK = HookResult(0)
IDENTIFIER = "Database system identifier"
TIMELINE = "Latest checkpoint's TimeLineID"
FRESH = (f"backup-{number}" for number in count(1))


@pytest.fixture(scope="module")
def source(lab: Lab) -> str:
    """Namespace of a cluster that all tests share: they leave it healthy, with its three rows in `ledger`."""
    return populated(lab, "source")


@pytest.fixture
def namespace(lab: Lab) -> Iterator[str]:
    """Namespace of such a cluster for one test alone."""
    yield (name := populated(lab, next(FRESH)))
    lab.store.delete(NAMESPACES, "", name)


@pytest.fixture
def target(lab: Lab) -> Iterator[str]:
    """Name of a namespace to restore into."""
    yield (name := next(FRESH))
    lab.store.delete(NAMESPACES, "", name)


def populated(lab: Lab, namespace: str) -> str:
    lab.create_cluster(namespace, NAME, instances=2)
    lab.primary(namespace, NAME).sql("CREATE TABLE ledger AS SELECT generate_series(1, 3) AS entry")
    return namespace


def fence(lab: Lab) -> Callable[[str], HookResult]:
    def hook(namespace: str) -> HookResult:
        lab.wait_until_healthy(namespace, NAME)  # a replica that is still being started does not run, either
        lab.store.update(EDB_CLUSTERS, namespace, NAME, lambda each: place_fence(each, ELECTED))
        lab.wait_for("the replica to stop", lambda: not lab.server(namespace, ELECTED).running)
        return OK

    return hook


def unfence(lab: Lab) -> Callable[[str], HookResult]:
    def hook(namespace: str) -> HookResult:
        lab.store.update(EDB_CLUSTERS, namespace, NAME, lambda each: lift_fence(each, ELECTED))
        return OK

    return hook


def cold_backup(lab: Lab, namespace: str) -> RestorePoint:
    """Export of a cold backup of the namespace, whose cluster is healthy again."""
    action = lab.kasten.run(Policy(namespace, pre_hook=fence(lab), on_success=unfence(lab)))
    assert action.restore_point, action.error
    lab.wait_until_healthy(namespace, NAME)
    return lab.kasten.export(action.restore_point)


def entries(server: Server) -> int:
    [(found,)] = server.sql("SELECT count(*) FROM ledger")
    return int(found)


def names(manifests: list[Manifest]) -> list[str]:
    return [manifest["metadata"]["name"] for manifest in manifests]


def test_policy_snapshots_the_elected_volume_between_its_hooks(lab: Lab, source: str) -> None:
    action = lab.kasten.run(Policy(source, pre_hook=fence(lab), on_success=unfence(lab)))
    assert action.state is State.COMPLETE
    assert [step.name for step in action.steps] == ["preHook", "discovery", "snapshots", "onSuccess"]
    [snapshot] = lab.store.list(VOLUME_SNAPSHOTS, source)
    assert snapshot["spec"]["source"] == {"persistentVolumeClaimName": ELECTED}
    assert snapshot["status"]["readyToUse"]
    assert snapshot["metadata"]["creationTimestamp"] <= snapshot["status"]["creationTime"]


def test_restore_point_holds_the_fence_and_no_pod(lab: Lab, source: str) -> None:
    point = cold_backup(lab, source)
    assert [fence_list(cluster) for cluster in point.clusters] == [[ELECTED]]
    assert names(list(point.secrets)) == [f"{NAME}-app", f"{NAME}-ca"]
    assert names(list(point.claims)) == list(point.data) == [ELECTED]


def test_export_restores_the_fenced_copy_after_the_namespace_is_gone(lab: Lab, namespace: str) -> None:
    before = lab.primary(namespace, NAME).controldata()
    point = cold_backup(lab, namespace)
    lab.primary(namespace, NAME).sql("TRUNCATE ledger")
    lab.store.delete(NAMESPACES, "", namespace)
    assert lab.kasten.restore(point, namespace).state is State.COMPLETE
    cluster = lab.wait_until_healthy(namespace, NAME)
    restored = lab.primary(namespace, NAME)
    restored.sql("CHECKPOINT")
    assert cluster["status"]["currentPrimary"] == ELECTED
    assert names(lab.store.list(PODS, namespace)) == [ELECTED, f"{NAME}-3"]
    assert not fence_list(cluster)
    assert entries(restored) == 3
    assert restored.controldata()[IDENTIFIER] == before[IDENTIFIER]
    assert (before[TIMELINE], restored.controldata()[TIMELINE]) == ("1", "2")


def test_restored_objects_are_new_and_owned_by_the_new_cluster(lab: Lab, source: str, target: str) -> None:
    point = cold_backup(lab, source)
    lab.kasten.restore(point, target)
    cluster = lab.wait_until_healthy(target, NAME)
    claim = lab.store.get(PVCS, target, ELECTED)
    assert claim["metadata"]["uid"] != lab.store.get(PVCS, source, ELECTED)["metadata"]["uid"]
    assert claim["metadata"]["annotations"][EDB.pvc_status] == "ready"
    assert claim["metadata"]["ownerReferences"][0]["uid"] == cluster["metadata"]["uid"]
    authorities = [lab.store.get(SECRETS, each, f"{NAME}-ca")["data"] for each in (source, target)]
    assert authorities[0] == authorities[1]


def test_volume_without_annotations_ends_in_an_empty_healthy_database(
    lab: Lab, source: str, target: str
) -> None:
    point = cold_backup(lab, source)
    lab.kasten.restore(point, target, drop_pvc_annotations=True)
    cluster = lab.wait_until_healthy(target, NAME)
    empty = lab.primary(target, NAME)
    assert cluster["status"]["currentPrimary"] == PRIMARY
    assert empty.controldata()[IDENTIFIER] != lab.primary(source, NAME).controldata()[IDENTIFIER]
    assert empty.sql("SELECT to_regclass('ledger')") == [(None,)]
    assert "ownerReferences" not in lab.store.get(PVCS, target, ELECTED)["metadata"]


def test_volume_of_a_primary_recovers_on_its_own_timeline(lab: Lab, source: str, target: str) -> None:
    hot = Policy(source, exclude_labels={}, choose=only(PRIMARY))
    action = lab.kasten.run(hot)
    assert action.restore_point
    lab.kasten.restore(action.restore_point, target)
    lab.wait_until_healthy(target, NAME)
    restored = lab.primary(target, NAME)
    assert entries(restored) == 3
    assert restored.controldata()[TIMELINE] == "1"


def test_reachable_archive_carries_a_restore_beyond_the_fence(lab: Lab, target: str) -> None:
    source = "archived"
    lab.create_cluster(source, NAME, instances=2, archive=source)
    primary = lab.primary(source, NAME)
    primary.sql("CREATE TABLE ledger AS SELECT 1 AS entry")
    action = lab.kasten.run(Policy(source, pre_hook=fence(lab)))
    assert action.restore_point, action.error
    primary.sql("INSERT INTO ledger VALUES (2)")
    [(segment,)] = primary.sql("SELECT pg_walfile_name(pg_switch_wal())")
    lab.wait_for("the archive", (lab.workspace.path / "archives" / source / segment).exists)
    lab.kasten.restore(action.restore_point, target)
    lab.wait_until_healthy(target, NAME)
    assert entries(lab.primary(target, NAME)) == 2


def test_failed_attempts_are_repeated_before_on_failure(lab: Lab, source: str) -> None:
    action = lab.kasten.run(Policy(source, pre_hook=fails, on_success=fails, on_failure=fine, retries=2))
    assert action.state is State.FAILED
    assert action.restore_point is None
    assert [step.name for step in action.steps] == ["preHook"] * 3 + ["onFailure"]
    assert "exit code 3: out of order" in action.error


def test_failing_on_success_hook_fails_the_action(lab: Lab, source: str) -> None:
    action = lab.kasten.run(Policy(source, on_success=fails, on_failure=fine))
    assert (action.state, action.restore_point) == (State.FAILED, None)
    assert [step.name for step in action.steps][-1] == "onSuccess"


def test_second_action_in_a_namespace_is_refused(lab: Lab, source: str) -> None:
    started, proceed = Event(), Event()

    def hold(_: str) -> HookResult:
        started.set()
        proceed.wait(10)
        return OK

    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(lab.kasten.run, Policy(source, pre_hook=hold))
        started.wait(10)
        with pytest.raises(NamespaceLocked):
            lab.kasten.run(Policy(source))
        proceed.set()
        assert first.result().state is State.COMPLETE


def test_late_cut_is_what_was_there_when_it_was_cut(lab: Lab, source: str) -> None:
    marker = lab.server(source, ELECTED).volume / "marker"
    with ThreadPoolExecutor(1) as pool:
        run = pool.submit(lab.kasten.run, Policy(source, cut_delay=0.5))
        lab.wait_for("the snapshot object", lambda: lab.store.list(VOLUME_SNAPSHOTS, source))
        marker.touch()
        action = run.result()
    assert action.restore_point
    assert (action.restore_point.data[ELECTED] / marker.name).exists()


def test_snapshots_go_with_their_namespace(lab: Lab, namespace: str) -> None:
    action = lab.kasten.run(Policy(namespace, pre_hook=fence(lab)))
    assert action.restore_point
    data = action.restore_point.data[ELECTED]
    assert data.exists()
    exported = lab.kasten.export(action.restore_point)
    lab.store.delete(NAMESPACES, "", namespace)
    lab.wait_for("the snapshot to go", lambda: not data.exists())
    assert (exported.data[ELECTED] / "pgdata").exists()
    lab.create_namespace(namespace)  # for the fixture, which deletes it


def fails(_: str) -> HookResult:
    return HookResult(3, "out of order")


def fine(_: str) -> HookResult:
    return OK


def only(claim: str) -> Callable[[list[Manifest]], list[Manifest]]:
    return lambda claims: [each for each in claims if each["metadata"]["name"] == claim]


def test_hook_is_a_run_of_the_product(lab: Lab, source: str) -> None:
    result = lab.hook("no-such-command")(source)
    assert result.exit_code
    assert "kanfunc" in result.output
