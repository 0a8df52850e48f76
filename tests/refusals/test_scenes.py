"""What is wrong with the cluster: every refusal of the domain's tables, through the whole command line."""

import itertools

import pytest

from kanfunc.domain.flavour import EDB
from tests.builders import ADDONS, KASTEN, REF
from tests.domain.spoiling import Spoil, annotation, both, label, spec
from tests.domain.test_adapter import CONFIG, FREE
from tests.domain.test_election import ELECTIONS, VOLUMES
from tests.domain.test_preflight import REFUSALS
from tests.refusals.conftest import Call, Ended, World

HOOKS = ("pre-backup-command", "pre-backup-on-error", "post-backup-command")
NO_ARGV = (
    "", "[]", '[""]', "/controller/manager snapshot", '"x"', "[1]", '["x", null]', '{"a":"b"}', '["x"',
    "null", '["x", "a\\u0000b"]', "$(reboot)",
)  # fmt: skip
NO_CONFIG = (
    "", "- a", "a: [", "!!python/object:os.system x", "x", "backupInstanceDecorators: []",
    "electedResourcesDecorators: [{key: k, metadataType: annotation, value: v}]",
)  # fmt: skip
NO_ADDON = (
    "",
    "[]",
    '["velero"]',
    '["external-backup-adapter"]',
    "kasten",
    '{"kasten":true}',
    "[1]",
    '["kasten"',
)


def _spoilt() -> dict[str, Spoil]:
    tables = {case.id: case.spoil for case in (*REFUSALS, *ELECTIONS, *VOLUMES)}
    argv = {f"{key} {text}": annotation("pod/pg-2", f"{KASTEN}/{key}", text)
            for key, text in itertools.product(HOOKS, NO_ARGV)}  # fmt: skip
    config = {
        f"config {text}": both(annotation("cluster", ADDONS, FREE), annotation("cluster", CONFIG, text))
        for text in NO_CONFIG
    }
    addons = {f"addons {text}": annotation("cluster", ADDONS, text) for text in NO_ADDON}
    others = {
        "container": annotation("pod/pg-2", f"{KASTEN}/pre-backup-container", "sidecar"),
        "Cloud Pak by label": label("cluster", "icpdsupport/app", "x"),
        "Cloud Pak by annotation": annotation("cluster", "icpdsupport/app", "x"),
        "permission misspelt": both(
            label("pod/pg-2", f"{KASTEN}/hasHooks", None),
            label("pod/pg-1", f"{KASTEN}/hasHooks", "true"),
            annotation("cluster", EDB.key("snapshotAllowColdBackupOnPrimary"), "yes"),
        ),
        "synchronous": spec("postgresql", {"synchronous": {"method": "any", "number": 2}}),
        "minSyncReplicas": spec("minSyncReplicas", 2),
    }
    return {**tables, **argv, **config, **addons, **others}


SPOILT = _spoilt()
IMPOSSIBLE = {"deleting", "claim is gone", "nothing mounted"}
"""An API server would not keep these, or not so."""


@pytest.mark.parametrize("name", sorted(SPOILT.keys() - IMPOSSIBLE))
def test_refused_and_nothing_changed(name: str, call: Call) -> None:
    world = World()
    world.scene.cluster["metadata"].setdefault("labels", {})
    SPOILT[name](world.scene)
    ended = call(world, "fence", "-n", REF.namespace)
    check(ended)


def test_table_is_long_enough() -> None:
    assert len(SPOILT) >= 60


@pytest.mark.parametrize(
    "standbys",
    [{}, {"pg-2": "streaming"}, {"pg-3": "streaming"}, {"pg-2": "catchup", "pg-3": "streaming"},
     {"pg-2": "streaming", "pg-9": "streaming"}],
)  # fmt: skip
def test_replication_that_would_lose_commits_is_refused(standbys: dict[str, str], call: Call) -> None:
    check(call(World(standbys=standbys), "fence", "-n", REF.namespace))


def test_primary_in_recovery_is_refused(call: Call) -> None:
    check(call(World(in_recovery=True), "fence", "-n", REF.namespace))


def check(ended: Ended, *, access: bool = True) -> None:
    """Exit 3, one clear message, nothing changed, never a traceback."""
    assert ended.exit_code == 3
    failure = ended.failure
    assert failure["found"]
    assert ("no access" in failure["found"]) is not access
    assert failure["next"]
    assert failure["expected"]
    assert ended.stdout == ""
    assert "Traceback" not in ended.log + ended.usage
    assert not ended.changed
    assert ended.wrote == []
