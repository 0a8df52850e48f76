"""verify-restore: the good restore is proven, and each restore that only looks good is found out."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.lab.kasten import RestorePoint
from tests.lab.lab import Completed, Lab
from tests.lab.storage import copy
from tests.scenarios.protected import ELECTED, OTHER, RECORD, Protected, told

pytestmark = pytest.mark.lab

Manifest = dict[str, Any]
CHECKS = {
    "mark",
    "cluster",
    "incarnation",
    "system identifier",
    "end point",
    "marked transaction",
    "promoted in this restore",
}


def report_of(done: Completed) -> Manifest:
    prefix = "###Phase-output### "
    lines = [line.partition(": ")[2] for line in done.stdout.splitlines() if line.startswith(prefix.strip())]
    outputs = {line["key"]: line["value"] for line in map(json.loads, lines)}
    found: Manifest = json.loads(outputs["report"])
    return found


def failed_checks(done: Completed) -> set[str]:
    findings = report_of(done)["findings"]
    assert {finding["check"] for finding in findings} <= CHECKS
    return {finding["check"] for finding in findings if finding["status"] != "passed"}


def assert_not_proven(done: Completed, *checks: str) -> Manifest:
    assert done.returncode == 2, done.stderr
    assert failed_checks(done) == set(checks)
    assert "NOT PROVEN" in done.stdout
    return report_of(done)


def volume_of(cluster: Protected, instance: str) -> Path:
    return cluster.lab.server(cluster.namespace, instance).volume


@pytest.fixture
def single(lab: Lab, request: pytest.FixtureRequest) -> Iterator[Protected]:
    """One instance only, and no add-on: quick to copy hot and to restore."""
    namespace = f"single-{abs(hash(request.node.name))}"
    lab.create_cluster(namespace, instances=1, addons=None)
    yield Protected(lab, namespace)
    Protected(lab, namespace).delete_namespace()


def test_the_good_restore_and_all_later_runs(protected: Protected, tmp_path: Path) -> None:
    source = protected.proven_export()
    fence_id = protected.record["id"]
    protected.restored(source)

    done = protected.verify("--wait-replicas", "--expect-fence-id", fence_id, "--report", str(tmp_path))
    assert done.returncode == 0, done.stderr
    report = report_of(done)
    assert {finding["check"] for finding in report["findings"]} == CHECKS
    assert failed_checks(done) == set()
    assert (report["proven"], report["instance"], report["mark"]["id"]) == (True, ELECTED, fence_id)
    assert "not checked at this depth" in done.stdout
    files = {file.suffix: file.read_text() for file in tmp_path.iterdir()}
    assert json.loads(files[".json"]) == report
    assert "PROVEN" in files[".txt"]

    assert RECORD not in protected.annotations, "what the restore point carried along is cleared"
    assert protected.fenced == []
    assert protected.marks() == [], "the mark cannot vouch for a later copy"
    assert (volume_of(protected, ELECTED) / "kanfunc-verified.json").exists()
    assert "RestoreProven" in protected.events()

    again = protected.verify()
    assert again.returncode == 0, again.stderr
    quoted = {finding["check"]: finding["found"] for finding in report_of(again)["findings"]}
    assert "proven on" in quoted["continued in this restore"]

    protected.lab.switchover(protected.namespace, protected.name, OTHER)
    protected.await_healthy()
    assert protected.verify().returncode == 0, "the verdict is quoted after a switchover, too"

    assert protected.back_up().error == "", "the restored cluster can be backed up"
    hot = protected.hot_export()
    protected.restored(hot)
    protected.await_healthy()
    later = protected.verify()
    assert later.returncode == 2, "a verdict of another incarnation proves nothing"


def test_a_switchover_came_before_us(protected: Protected) -> None:
    protected.restored(protected.proven_export())
    protected.await_healthy()
    protected.lab.switchover(protected.namespace, protected.name, OTHER)
    done = protected.verify()
    assert done.returncode == 0, done.stderr
    assert report_of(done)["instance"] == ELECTED


def test_a_hot_copy_because_the_hook_was_not_wired(single: Protected) -> None:
    single.await_next_second()
    single.restored(single.hot_export())
    report = assert_not_proven(single.verify(), "mark")
    assert "not a cold backup" in report["findings"][0]["meaning"]


def test_a_hot_copy_of_a_volume_that_still_carries_an_old_mark(protected: Protected) -> None:
    source = protected.proven_export()
    protected.restored(source)
    protected.await_healthy()
    protected.lab.switchover(protected.namespace, protected.name, OTHER)
    protected.lab.wait_for(
        "the old volume to be elected",
        lambda: protected.annotations.get("k8s.enterprisedb.io/backupInstance") == ELECTED,
    )
    protected.await_healthy()
    protected.lab.primary(protected.namespace, protected.name).sql("create table later (x int)")
    protected.await_next_second()
    hot = protected.hot_export()
    protected.restored(hot)
    done = protected.verify()
    report = assert_not_proven(done, "promoted in this restore")
    finding = next(f for f in report["findings"] if f["check"] == "promoted in this restore")
    assert "copied hot" in finding["meaning"]
    assert protected.marks(), "a bad verdict changes nothing"


def test_an_empty_healthy_database(protected: Protected) -> None:
    protected.restored(protected.proven_export(), drop_pvc_annotations=True)
    protected.await_healthy()
    report = assert_not_proven(protected.verify(), "mark")
    assert "new, empty database" in report["findings"][0]["meaning"]


def test_an_older_restore_point_than_expected(protected: Protected) -> None:
    protected.restored(protected.proven_export())
    done = protected.verify("--expect-fence-id", "00000000-0000-0000-0000-000000000000")
    assert_not_proven(done, "mark")


def test_volumes_and_manifests_of_different_fences(protected: Protected) -> None:
    """The captured record names the fence of its restore point; the volumes are those of an earlier one."""
    earlier = protected.proven_export()
    later = protected.proven_export()
    protected.restored(replace(later, data=earlier.data))
    assert_not_proven(protected.verify(), "mark")


def test_a_volume_of_another_cluster(protected: Protected, single: Protected) -> None:
    """Our mark, on the data of a database that is not ours."""
    source = protected.proven_export()
    stranger = single.hot_export().data[f"{single.name}-1"]
    data = source.data[ELECTED]
    shutil.rmtree(data / "pgdata")
    copy(stranger / "pgdata", data / "pgdata")
    protected.restored(source)
    report = assert_not_proven(
        protected.verify(), "system identifier", "end point", "marked transaction", "promoted in this restore"
    )
    assert "another database" in json.dumps(report)


def test_the_volumes_of_a_cluster_of_another_name(lab: Lab, protected: Protected) -> None:
    source = protected.proven_export()
    text = json.loads(
        json.dumps([source.clusters, source.claims]).replace("cluster-example", "other-example")
    )
    renamed = RestorePoint(
        "elsewhere",
        tuple(text[0]),
        (),
        tuple(text[1]),
        {name.replace("cluster-", "other-"): path for name, path in source.data.items()},
    )
    assert not lab.kasten.restore(renamed, "elsewhere").error
    other = Protected(lab, "elsewhere", "other-example")
    assert_not_proven(other.verify(), "cluster")
    other.delete_namespace()


def test_more_wal_in_a_reachable_archive(archived: Protected) -> None:
    source = archived.proven_export()
    primary = archived.lab.primary(archived.namespace, archived.name)
    primary.sql("create table after_the_fence (x int)")
    segment = primary.sql("select pg_walfile_name(pg_current_wal_lsn())")[0][0]
    primary.sql("select pg_switch_wal()")
    archived.lab.wait_for(
        "that segment to be archived",
        lambda: primary.sql("select 1 from pg_stat_archiver where last_archived_wal >= %s", segment),
    )
    archived.restored(source, transforms=())
    report = assert_not_proven(archived.verify(), "end point")
    assert "reachable archive" in json.dumps(report)


def test_while_a_backup_of_this_very_cluster_runs(protected: Protected) -> None:
    assert protected.fence().returncode == 0
    done = protected.verify()
    assert done.returncode == 3
    assert "a backup is running" in told(done)["found"]
    assert protected.fenced == [ELECTED]
    assert protected.marks() == [protected.record["id"]]


def test_a_cluster_that_was_never_restored(sturdy: Protected) -> None:
    assert_not_proven(sturdy.verify(), "mark")


def test_a_foreign_fence_is_reported_and_stays(protected: Protected) -> None:
    protected.restored(protected.proven_export())
    protected.await_healthy()
    protected.set_fenced(OTHER)
    done = protected.verify()
    assert done.returncode == 0, done.stderr
    assert report_of(done)["foreign_fences"] == [OTHER]
    assert protected.fenced == [OTHER]
