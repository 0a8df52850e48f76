import json

import pytest

from tests.lab.apiserver import (
    PODS,
    ExecRequest,
    StatusError,
)
from tests.lab.operator.decisions import annotations, fence_list
from tests.lab.operator.decorations import KASTEN, Hook
from tests.lab.operator.runtime import Faults
from tests.lab.site import ELECTED, Site

pytestmark = pytest.mark.lab


def test_elected_pod_names_the_hook_commands(site: Site) -> None:
    marks = annotations(site.get(PODS, ELECTED))
    for key, hook in {
        "pre-backup-command": Hook.PRE_BACKUP,
        "pre-backup-on-error": Hook.ON_ERROR,
        "post-backup-command": Hook.POST_BACKUP,
    }.items():
        assert json.loads(marks[KASTEN + key]) == hook.argv()
    assert marks[f"{KASTEN}pre-backup-container"] == marks[f"{KASTEN}post-backup-container"] == "postgres"
    assert marks["kanister.kasten.io/blueprint"] == "edb-hooks"


def test_hooks_place_and_lift_the_fence(site: Site) -> None:
    assert site.exec(ELECTED, "timeout", "-k", "5", "120", *Hook.PRE_BACKUP.argv()) == (0, "")
    assert fence_list(site.cluster) == [ELECTED]
    site.wait_until_stopped(ELECTED)
    for hook in (Hook.POST_BACKUP, Hook.ON_ERROR):
        assert site.exec(ELECTED, *hook.argv()) == (0, "")
        site.wait_until_lifted()
        site.fence(ELECTED)


def test_failing_hook_places_nothing(site: Site, faults: Faults) -> None:
    faults.hook_exit = 7
    assert site.exec(ELECTED, *Hook.PRE_BACKUP.argv())[0] == 7
    assert not fence_list(site.cluster)


def test_hanging_hook_ends_at_its_limit(site: Site, faults: Faults) -> None:
    faults.hook_hangs = True
    assert site.exec(ELECTED, "timeout", "-k", "5", "0.2", *Hook.PRE_BACKUP.argv())[0] == 124
    assert not fence_list(site.cluster)


def test_hook_outlives_its_client(site: Site, faults: Faults) -> None:
    faults.hook_delay = 0.5
    with site.exec_client(ELECTED, *Hook.PRE_BACKUP.argv()):
        assert not fence_list(site.cluster)
    site.wait_until_fenced(ELECTED)


def test_other_commands_run_beside_postgresql(site: Site) -> None:
    query = "SELECT pg_is_in_recovery()"
    assert site.exec(ELECTED, "psql", "-AtX", "-U", "postgres", "-c", query) == (0, "t\n")
    assert site.exec(ELECTED, "sh", "-c", 'test -d "$PGDATA"; exit 3') == (3, "")


def test_container_without_postgresql_runs_no_command(site: Site) -> None:
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "client", "namespace": site.namespace},
        "spec": {"containers": [{"name": "client"}]},
    }
    site.lab.store.create(PODS, pod)
    with pytest.raises(StatusError, match="container not found"):
        site.lab.operator.exec(ExecRequest(site.namespace, "client", "client", ("true",)))
    site.lab.store.delete(PODS, site.namespace, "client")
