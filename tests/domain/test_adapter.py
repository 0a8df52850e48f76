from dataclasses import replace

import pytest

from kanfunc.domain.adapter import Hooks, elected_instance, elected_volumes, hooks_of, require_addon
from kanfunc.domain.errors import Refused
from kanfunc.domain.flavour import EDB
from tests.builders import (
    ADDONS,
    KASTEN,
    ON_ERROR,
    POST,
    PRE,
    Scene,
    claim_manifest,
    cluster,
    healthy,
    pod_manifest,
)
from tests.domain.spoiling import Refusal, annotation, both, label, spec, status, without

HAS_HOOKS, ELECTED, EXCLUDED = f"{KASTEN}/hasHooks", f"{KASTEN}/elected", f"{KASTEN}/excluded"
ANNOUNCED = EDB.key("backupInstance")


def with_volumes(*roles: tuple[str, str]) -> Scene:
    """The elected instance with more volumes than PGDATA, each `(claim, role)` mounted and labelled."""
    scene = healthy()
    mounts = {"pg-2": "/var/lib/postgresql/data"} | {claim: f"/{claim}" for claim, _ in roles}
    scene.pods["pg-2"] = pod_manifest("pg-2", claims=mounts, elected=True)
    for claim, role in roles:
        scene.claims[claim] = claim_manifest(claim, "pg-2", role=role, elected=True)
    return scene


# ---- the add-on


@pytest.mark.parametrize("text", ['["kasten"]', '["velero", "kasten"]', ' [ "kasten" ] '])
def test_addon_may_stand_anywhere_in_the_list(text: str) -> None:
    require_addon(cluster({ADDONS: text}))


@pytest.mark.parametrize("text", ["", "[]", '["velero"]', '["Kasten"]', '["kasten "]'])
def test_cluster_without_the_addon_is_refused(text: str) -> None:
    with pytest.raises(Refused, match="does not have the add-on kasten") as refused:
        require_addon(cluster({ADDONS: text}))
    assert ADDONS in refused.value.expected
    assert "exclude it from the policy" in refused.value.remedy


@pytest.mark.parametrize("text", ["kasten", '"kasten"', '{"kasten":true}', "[1]", "null", '["kasten"', "\0"])
def test_unreadable_addons_are_refused(text: str) -> None:
    with pytest.raises(Refused, match="cannot be read") as refused:
        require_addon(cluster({ADDONS: text}))
    assert repr(text) in refused.value.found
    assert "JSON list" in refused.value.expected
    assert refused.value.remedy == "correct the annotation"


# ---- who is elected


def test_labelled_replica_is_elected() -> None:
    world = healthy().world()
    assert elected_instance(world).name == "pg-2"


@pytest.mark.parametrize("announced", ["pg-2", "", None])
def test_announcement_that_agrees_or_is_absent_is_fine(announced: str | None) -> None:
    scene = healthy()
    annotation("cluster", ANNOUNCED, announced)(scene)
    assert elected_instance(scene.world()).name == "pg-2"


ELECTIONS = [
    Refusal("nobody", label("pod/pg-2", HAS_HOOKS, None), "no pod of", "exactly one", "operator's log"),
    Refusal("label says no", label("pod/pg-2", HAS_HOOKS, "false"), "no pod of", "exactly one", "log"),
    Refusal("two", label("pod/pg-3", HAS_HOOKS, "true"), "pg-2, pg-3 of", "exactly one", "operator's log"),
    Refusal("no pods", lambda scene: scene.pods.clear(), "no pod of", "exactly one", "operator's log"),
    Refusal(
        "primary",
        both(label("pod/pg-2", HAS_HOOKS, None), label("pod/pg-1", HAS_HOOKS, "true")),
        "pg-1 is the primary", "a replica", "until the operator has elected",
    ),
    Refusal("current primary", status("currentPrimary", "pg-2"), "pg-2 is the primary", "a replica", "wait"),
    Refusal("coming primary", status("targetPrimary", "pg-2"), "pg-2 is the primary", "a replica", "wait"),
    Refusal(
        "another announced", annotation("cluster", ANNOUNCED, "pg-3"),
        "announces pg-3 as its backup instance, but the labels are on pg-2", "one election", "run again",
    ),
]  # fmt: skip


@pytest.mark.parametrize("case", ELECTIONS, ids=lambda case: case.id)
def test_election_that_is_not_one_replica_is_refused(case: Refusal) -> None:
    scene = healthy()
    case.spoil(scene)
    with pytest.raises(Refused) as refused:
        elected_instance(scene.world())
    case.check(refused.value)


# ---- which volumes


@pytest.mark.parametrize(
    ("roles", "specified"),
    [
        ((), {}),
        ((("pg-2-wal", "PG_WAL"),), {"walStorage": {"size": "1Gi"}}),
        ((("pg-2-tbs-a", "PG_TABLESPACE"),), {"tablespaces": [{"name": "a"}]}),
        (
            (("pg-2-wal", "PG_WAL"), ("pg-2-tbs-a", "PG_TABLESPACE"), ("pg-2-tbs-b", "PG_TABLESPACE")),
            {"walStorage": {"size": "1Gi"}, "tablespaces": [{"name": "a"}, {"name": "b"}]},
        ),
    ],
    ids=["PGDATA", "WAL", "tablespace", "all"],
)
def test_whole_group_is_taken(roles: tuple[tuple[str, str], ...], specified: dict[str, object]) -> None:
    scene = with_volumes(*roles)
    scene.cluster["spec"] |= specified
    world = scene.world()
    names = {volume.name for volume in elected_volumes(world, elected_instance(world))}
    assert names == {"pg-2", *(claim for claim, _ in roles)}


def unmounted(scene: Scene) -> None:
    scene.pods["pg-2"]["spec"].clear()


VOLUMES = [
    Refusal("elected without label", label("pvc/pg-2", ELECTED, None), "labels none", ELECTED, "wait"),
    Refusal("elected says no", label("pvc/pg-2", ELECTED, "false"), "'false'", ELECTED, "wrong volumes"),
    Refusal("elected and excluded", label("pvc/pg-2", EXCLUDED, "true"), EXCLUDED, f"no {EXCLUDED}", "wait"),
    Refusal("other without label", label("pvc/pg-3", EXCLUDED, None), "labels none", EXCLUDED, "wait"),
    Refusal("other elected, too", label("pvc/pg-3", ELECTED, "true"), "Claim pg-3", EXCLUDED, "wait"),
    Refusal("primary elected", label("pvc/pg-1", ELECTED, "true"), "Claim pg-1", "not the elected", "log"),
    Refusal(
        "left-over volume without label",
        lambda scene: scene.claims.update({"pg-9": claim_manifest("pg-9", "pg-9", elected=True)}),
        "PersistentVolumeClaim pg-9", EXCLUDED, "wrong volumes",
    ),
    Refusal("WAL not mounted", spec("walStorage", {"size": "1Gi"}), "['PG_DATA']", "PG_WAL", "incomplete"),
    Refusal("tablespace not mounted", spec("tablespaces", [{}]), "['PG_DATA']", "PG_TABLESPACE", "adopt"),
    Refusal("claim is gone", without("pvc/pg-2"), "volumes none", "PG_DATA", "adopt"),
    Refusal("claim has no role", label("pvc/pg-2", EDB.key("pvcRole"), None), "['']", "PG_DATA", "labels"),
    Refusal("nothing mounted", unmounted, "volumes none", "PG_DATA", "adopt"),
]  # fmt: skip


@pytest.mark.parametrize("case", VOLUMES, ids=lambda case: case.id)
def test_wrong_set_of_volumes_is_refused(case: Refusal) -> None:
    scene = healthy()
    case.spoil(scene)
    world = scene.world()
    with pytest.raises(Refused) as refused:
        elected_volumes(world, elected_instance(world))
    case.check(refused.value)


def test_volume_that_the_specification_does_not_know_is_refused() -> None:
    world = with_volumes(("pg-2-wal", "PG_WAL")).world()
    with pytest.raises(Refused, match=r"mounts the volumes \['PG_DATA', 'PG_WAL'\]"):
        elected_volumes(world, elected_instance(world))


# ---- how it is stopped


def test_commands_are_taken_as_argv() -> None:
    assert hooks_of(elected_instance(healthy().world())) == Hooks(PRE, ON_ERROR, POST)


@pytest.mark.parametrize("name", ["pre-backup-command", "pre-backup-on-error", "post-backup-command"])
@pytest.mark.parametrize(
    "text",
    [None, "", " ", "[]", '[""]', '["", "x"]', "/controller/manager snapshot", '"/controller/manager"', "[1]",
     '["x", null]', '{"a":"b"}', '["x"', "null", '["x", "a\\u0000b"]', '["\\ud800"]', "$(reboot)"],
)  # fmt: skip
def test_command_that_is_no_argv_is_refused(name: str, text: str | None) -> None:
    scene = healthy()
    annotation("pod/pg-2", f"{KASTEN}/{name}", text)(scene)
    with pytest.raises(Refused, match=f"{KASTEN}/{name} on pod pg-2") as refused:
        hooks_of(elected_instance(scene.world()))
    assert repr(text or "") in refused.value.found
    assert "JSON list of words" in refused.value.expected
    assert "ever run through a shell" in refused.value.remedy


@pytest.mark.parametrize("phase", ["pre", "post"])
@pytest.mark.parametrize("container", [None, "", "Postgres", "sidecar"])
def test_command_for_another_container_is_refused(phase: str, container: str | None) -> None:
    scene = healthy()
    annotation("pod/pg-2", f"{KASTEN}/{phase}-backup-container", container)(scene)
    with pytest.raises(Refused, match=f"{phase}-backup-container on pod pg-2") as refused:
        hooks_of(elected_instance(scene.world()))
    assert "'postgres'" in refused.value.expected
    assert refused.value.remedy


def test_words_are_kept_as_they_are() -> None:
    instance = elected_instance(healthy().world())
    command = {f"{KASTEN}/post-backup-command": '["x", "$(y) \'z\'", "a\\nb", ""]'}
    spoken = replace(instance, annotations={**instance.annotations, **command})
    assert hooks_of(spoken).post_backup == ("x", "$(y) 'z'", "a\nb", "")
