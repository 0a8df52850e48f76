"""What a copy takes from its source while that lives: nothing with the transforms of the example; and without
them, what we warn of, so that the danger is no hearsay.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.lab.apiserver import NAMESPACES, StatusError
from tests.lab.kasten.transforms import EXAMPLE
from tests.lab.lab import Completed, Lab
from tests.lab.operator.names import EDB
from tests.lab.site import Site, restarted
from tests.scenarios.copies import PASSWORD, SUBSCRIPTION, Replicated, options
from tests.scenarios.protected import ELECTED, Protected
from tests.scenarios.test_verify_restore import report_of

pytestmark = pytest.mark.lab

WORKERS = "max_logical_replication_workers"
LAUNCHER = "select 1 from pg_stat_activity where backend_type = 'logical replication launcher'"
BARMAN = "barman-cloud.cloudnative-pg.io"


@pytest.fixture(scope="module")
def replicated(shared_lab: Lab) -> Iterator[Replicated]:
    yield Replicated.create(shared_lab)
    for namespace in ("publisher", "subscriber"):
        delete(shared_lab, namespace)


@pytest.fixture
def copies(lab: Lab, replicated: Replicated) -> Iterator[Replicated]:
    yield replicated
    delete(lab, f"{replicated.source.namespace}-copy")


def delete(lab: Lab, namespace: str) -> None:
    try:
        lab.store.delete(NAMESPACES, "", namespace)
    except StatusError:
        return  # a test has deleted it, or failed before it was there


def findings(done: Completed) -> dict[str, dict[str, str]]:
    return {each["check"]: each for each in report_of(done)["findings"]}


def told_of(done: Completed) -> dict[str, str]:
    """The finding on subscriptions of a restore that is proven all the same; no password is told with it."""
    assert done.returncode == 0, done.stderr + done.stdout
    assert PASSWORD not in done.stderr + done.stdout
    found = findings(done)["subscriptions"]
    assert found["status"] == "warning"
    assert f"{SUBSCRIPTION} in app" in found["found"]
    return found


def test_with_the_transforms_the_source_gets_every_row(copies: Replicated) -> None:
    copy = copies.source.copied(copies.backup)
    copy.await_healthy()
    server = copy.lab.primary(copy.namespace, copy.name)
    assert server.sql(f"show {WORKERS}") == [("0",)]
    assert server.sql(LAUNCHER) == [], "nobody there who could start a worker, however long one waits"

    copies.subscribe(copies.source, enabled=False)  # the copy's best moment: the slot is free
    copies.order(100)
    before = copies.slot()
    found = told_of(copy.verify())
    assert (before[1], copies.slot()) == (False, before)
    assert f"enabled); {WORKERS} is 0: no worker can run" in found["found"]

    copies.subscribe(copies.source, enabled=True)
    copies.await_row(copies.source, 100)
    assert copies.rows(copies.source) == {1, 100}
    assert copies.rows(copy) == {1}


def test_without_them_the_source_loses_a_row_and_each_depth_tells(copies: Replicated, tmp_path: Path) -> None:
    copy = copies.source.copied(copies.backup, transforms=())
    copy.await_healthy()
    copies.subscribe(copies.source, enabled=False)
    copies.order(200)
    copies.await_row(copy, 200)

    for depth in ("identity", "structure", "content"):
        found = told_of(copy.verify(*options(copy, depth, tmp_path)))
        assert "enabled, running now" in found["found"]
        assert f"{WORKERS} is 4" in found["found"]
        assert "source loses" in found["meaning"]

    copies.subscribe(copy, enabled=False)
    copies.subscribe(copies.source, enabled=True)
    copies.order(201)
    copies.await_row(copies.source, 201)
    assert 200 not in copies.rows(copies.source), "lost for good: the publisher has forgotten it"


def test_a_copy_that_replaces_its_source_is_turned_on_again(copies: Replicated) -> None:
    """The last test of the module: the source goes. As docs/copies.md says: plugins, workers, a restart."""
    copies.source.delete_namespace()
    copy = copies.source.copied(copies.backup)
    copy.await_healthy()
    told_of(copy.verify())

    def turn_on(manifest: dict[str, Any]) -> None:
        del manifest["spec"]["postgresql"]["parameters"][WORKERS]

    copy.lab.store.update(EDB.clusters, copy.namespace, copy.name, turn_on)
    restarted(Site(copy.lab, copy.namespace), ELECTED)
    copy.await_healthy()
    copies.order(300)
    copies.await_row(copy, 300)


@pytest.fixture
def by_plugin(lab: Lab) -> Iterator[Protected]:
    """It archives by a plugin, as half of all users' clusters do."""
    plugin = {"name": BARMAN, "isWALArchiver": True, "parameters": {"barmanObjectName": "by-plugin"}}
    lab.create_cluster("by-plugin", further={"plugins": [plugin]})
    yield Protected(lab, "by-plugin")
    for namespace in ("by-plugin", "by-plugin-copy"):
        delete(lab, namespace)


def test_an_archive_behind_a_plugin_is_neither_read_nor_written(by_plugin: Protected) -> None:
    backup = by_plugin.proven_export()
    archive_beyond_the_fence(by_plugin)
    without = [each for each in EXAMPLE if each["json"][0]["path"] == "/spec/backup"]
    copy = by_plugin.copied(backup, transforms=without)
    done = copy.verify()
    assert done.returncode == 2, "it went on with what its source has archived since"
    assert findings(done)["end point"]["status"] == "failed"
    assert "by-plugin as cluster-example" in findings(done)["archive"]["found"]
    copy.delete_namespace()

    copy = by_plugin.copied(backup)
    done = copy.verify()
    assert done.returncode == 0, done.stderr + done.stdout
    assert "archive" not in findings(done)
    server = copy.lab.primary(copy.namespace, copy.name)
    assert server.sql("show archive_mode") == [("off",)]
    assert server.sql("show restore_command") == [("",)]


def archive_beyond_the_fence(cluster: Protected) -> None:
    primary = cluster.lab.primary(cluster.namespace, cluster.name)
    primary.sql("create table after_the_fence (x int)")
    [(segment,)] = primary.sql("select pg_walfile_name(pg_switch_wal())")
    archive = cluster.lab.workspace.path / "archives" / "by-plugin" / segment
    cluster.lab.wait_for("that segment to be archived", archive.exists)
