import pytest

from kanfunc.domain.adapter import KASTEN_ADAPTER
from kanfunc.domain.election import elected_instance, elected_volumes
from kanfunc.domain.errors import Refused
from kanfunc.domain.flavour import EDB
from tests.builders import KASTEN, Scene, claim_manifest, healthy, pod_manifest
from tests.domain.spoiling import Refusal, annotation, both, label, spec, status, without

HAS_HOOKS, ELECTED, EXCLUDED = f"{KASTEN}/hasHooks", f"{KASTEN}/elected", f"{KASTEN}/excluded"
ANNOUNCED, COLD_PRIMARY = EDB.key("backupInstance"), EDB.key("snapshotAllowColdBackupOnPrimary")


def with_volumes(*roles: tuple[str, str]) -> Scene:
    """The elected instance with more volumes than PGDATA, each `(claim, role)` mounted and labelled."""
    scene = healthy()
    mounts = {"pg-2": "/var/lib/postgresql/data"} | {claim: f"/{claim}" for claim, _ in roles}
    scene.pods["pg-2"] = pod_manifest("pg-2", claims=mounts, elected=True)
    for claim, role in roles:
        scene.claims[claim] = claim_manifest(claim, "pg-2", role=role, elected=True)
    return scene


# ---- who is elected


def test_labelled_replica_is_elected() -> None:
    world = healthy().world()
    assert elected_instance(world, KASTEN_ADAPTER).name == "pg-2"


@pytest.mark.parametrize("announced", ["pg-2", "", None])
def test_announcement_that_agrees_or_is_absent_is_fine(announced: str | None) -> None:
    scene = healthy()
    annotation("cluster", ANNOUNCED, announced)(scene)
    assert elected_instance(scene.world(), KASTEN_ADAPTER).name == "pg-2"


ELECTIONS = [
    Refusal("nobody", label("pod/pg-2", HAS_HOOKS, None), "no pod of", "exactly one", "operator's log"),
    Refusal("label says no", label("pod/pg-2", HAS_HOOKS, "false"), "no pod of", "exactly one", "log"),
    Refusal("two", label("pod/pg-3", HAS_HOOKS, "true"), "pg-2, pg-3 of", "exactly one", "operator's log"),
    Refusal("no pods", lambda scene: scene.pods.clear(), "no pod of", "exactly one", "operator's log"),
    Refusal(
        "primary",
        both(label("pod/pg-2", HAS_HOOKS, None), label("pod/pg-1", HAS_HOOKS, "true")),
        "pg-1 is the primary", "a replica", "until a replica is elected",
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
        elected_instance(scene.world(), KASTEN_ADAPTER)
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
    names = {
        volume.name
        for volume in elected_volumes(world, elected_instance(world, KASTEN_ADAPTER), KASTEN_ADAPTER)
    }
    assert names == {"pg-2", *(claim for claim, _ in roles)}


def unmounted(scene: Scene) -> None:
    scene.pods["pg-2"]["spec"].clear()


VOLUMES = [
    Refusal("elected without label", label("pvc/pg-2", ELECTED, None), "labels none", ELECTED, "wait"),
    Refusal("elected says no", label("pvc/pg-2", ELECTED, "false"), "=false", ELECTED, "wrong volumes"),
    Refusal("elected and excluded", label("pvc/pg-2", EXCLUDED, "true"), EXCLUDED, f"no {EXCLUDED}", "wait"),
    Refusal("other without label", label("pvc/pg-3", EXCLUDED, None), "labels none", EXCLUDED, "wait"),
    Refusal("other elected, too", label("pvc/pg-3", ELECTED, "true"), "Claim pg-3", EXCLUDED, "wait"),
    Refusal("primary elected", label("pvc/pg-1", ELECTED, "true"), "Claim pg-1", "not the elected", "wait"),
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
        elected_volumes(world, elected_instance(world, KASTEN_ADAPTER), KASTEN_ADAPTER)
    case.check(refused.value)


def test_volume_that_the_specification_does_not_know_is_refused() -> None:
    world = with_volumes(("pg-2-wal", "PG_WAL")).world()
    with pytest.raises(Refused, match=r"mounts the volumes \['PG_DATA', 'PG_WAL'\]"):
        elected_volumes(world, elected_instance(world, KASTEN_ADAPTER), KASTEN_ADAPTER)


# ---- a primary


@pytest.mark.parametrize("permission", ["enabled", "true"])
def test_primary_is_elected_where_its_cluster_allows_the_outage(permission: str) -> None:
    scene = healthy()
    both(label("pod/pg-2", HAS_HOOKS, None), label("pod/pg-1", HAS_HOOKS, "true"))(scene)
    annotation("cluster", COLD_PRIMARY, permission)(scene)
    assert elected_instance(scene.world(), KASTEN_ADAPTER).name == "pg-1"


@pytest.mark.parametrize("permission", ["", "disabled", "false", "True", "yes", "1", " enabled"])
def test_nothing_else_is_permission(permission: str) -> None:
    scene = healthy()
    both(label("pod/pg-2", HAS_HOOKS, None), label("pod/pg-1", HAS_HOOKS, "true"))(scene)
    annotation("cluster", COLD_PRIMARY, permission)(scene)
    with pytest.raises(Refused, match="pg-1 is the primary") as refused:
        elected_instance(scene.world(), KASTEN_ADAPTER)
    assert COLD_PRIMARY in refused.value.remedy
