"""status over a backup's whole life, on real PostgreSQL."""

import json

import pytest

from tests.scenarios.protected import ELECTED, Manifest, Protected

pytestmark = pytest.mark.lab


def status(cluster: Protected) -> Manifest:
    """That cluster's entry, which -n and -A must both tell."""
    done = cluster.kanfunc("status", "--format", "json")
    assert done.returncode == 0, done.stderr
    [found] = json.loads(done.stdout)
    everywhere = cluster.lab.kanfunc("status", "-A", "--format", "json")
    entries = [each for each in json.loads(everywhere.stdout) if each["namespace"] == cluster.namespace]
    assert [each | {"checked": ""} for each in entries] == [found | {"checked": ""}]
    return dict(found)


def test_fence_backup_failure_and_restore_are_told(protected: Protected) -> None:
    quiet = status(protected)
    assert (quiet["elected"], quiet["fences"], quiet["last_proven"]) == (ELECTED, [], None)

    source = protected.proven_export()
    proven = status(protected)["last_proven"]
    assert proven["id"] == protected.record["id"]
    assert proven["end_of_wal"] == protected.record["proof"]["end_of_wal"]
    assert 0 <= proven["fenced_seconds"] < 60
    assert 0 <= protected.record["proof"]["replay_seconds"] < 60

    protected.await_healthy()
    assert protected.fence().returncode == 0
    standing = status(protected)
    [fence] = standing["fences"]
    assert (fence["instance"], fence["since"]) == (ELECTED, protected.record["fenced"])
    assert standing["last_proven"] == proven
    assert protected.unfence(outcome="failure").returncode == 0
    assert status(protected)["last_proven"] == proven, "a failed backup hides none that was proven"

    restored = protected.restored(source)
    assert restored.verify().returncode == 0
    outcome = status(restored)["last_restore"]
    assert outcome["proven"]
    assert outcome["fence"] == proven["id"]
    restored.await_healthy()


def test_restore_of_a_hot_copy_is_told_as_not_proven(protected: Protected) -> None:
    restored = protected.restored(protected.hot_export())
    assert restored.verify().returncode == 2
    outcome = status(restored)["last_restore"]
    assert not outcome["proven"]
    assert "is not proven" in outcome["reason"]
    restored.await_healthy()


def test_one_of_namespace_and_all_must_be_asked_for(sturdy: Protected) -> None:
    assert sturdy.lab.kanfunc("status").returncode == 3
    assert sturdy.kanfunc("status", "-A").returncode == 3
