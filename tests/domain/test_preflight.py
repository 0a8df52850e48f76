from typing import Any

import pytest

from kanfunc.domain.codec import encode
from kanfunc.domain.errors import Refused
from kanfunc.domain.flavour import EDB, RECORD_ANNOTATION
from kanfunc.domain.preflight import Plan, plan_fence, require_replication
from kanfunc.domain.record import Late, State
from kanfunc.domain.replication import Replication, Standby
from tests.builders import ADDONS, FENCED, KASTEN, NOW, Scene, backup_manifest, healthy, record
from tests.domain.spoiling import Refusal, Spoil, annotation, both, label, metadata, status, without


def test_healthy_cluster_may_be_fenced() -> None:
    plan = plan_fence(healthy().world())
    assert (plan.primary.name, plan.instance.name, plan.standing) == ("pg-1", "pg-2", None)
    assert [volume.name for volume in plan.volumes] == ["pg-2"]
    assert plan.hooks
    assert plan.hooks.pre_backup


@pytest.mark.parametrize("phase", ["completed", "failed"])
def test_backup_that_has_ended_does_not_matter(phase: str) -> None:
    scene = healthy()
    scene.backups.append(backup_manifest("nightly", phase=phase))
    assert plan_fence(scene.world()).standing is None


def running(phase: str) -> Spoil:
    return lambda scene: scene.backups.append(backup_manifest("nightly", phase=phase))


def no_metadata_annotations(scene: Scene) -> None:
    del scene.cluster["metadata"]["annotations"]


def announced(text: str) -> Spoil:
    return annotation("cluster", RECORD_ANNOTATION, text)


def fenced(text: str) -> Spoil:
    return annotation("cluster", FENCED, text)


HIBERNATION = EDB.key("hibernation")
REFUSALS = [
    Refusal("no annotations at all", no_metadata_annotations, "add-on kasten", ADDONS, "annotate"),
    Refusal("add-on missing", annotation("cluster", ADDONS, None), "add-on kasten", ADDONS, "annotate"),
    Refusal("add-on junk", annotation("cluster", ADDONS, "{"), "cannot be read", "JSON list", "correct"),
    Refusal("fence on another", fenced('["pg-3"]'), "not ours: pg-3", "an empty", "ask who"),
    Refusal("fence on the elected", fenced('["pg-2"]'), "not ours: pg-2", "an empty", "ask who"),
    Refusal("everybody fenced", fenced('["*"]'), "not ours: *", "an empty", "take the entry out"),
    Refusal("unreadable fence list", fenced("pg-2"), "cannot be read", "JSON list", "who wrote it"),
    Refusal("record junk", announced("{}"), "cannot be read", "what kanfunc wrote", "remove"),
    Refusal("backup runs", running("running"), "Backup nightly", "no other backup", "when it has ended"),
    Refusal("backup is pending", running("pending"), "Backup nightly", "no other backup", "delete it"),
    Refusal("backup is not seen yet", running(""), "Backup nightly", "no other backup", "has ended"),
    Refusal("backup archives", running("walArchivingFailing"), "nightly", "no other backup", "hangs"),
    Refusal("switching", status("targetPrimary", "pg-3"), "target: pg-3", "the same", "after it"),
    Refusal("failing over", status("targetPrimary", "pending"), "target: pending", "the same", "run again"),
    Refusal(
        "no status", both(status("currentPrimary", None), status("targetPrimary", None)),
        "current: none, target: none", "the same", "run again",
    ),
    Refusal("hibernated", annotation("cluster", HIBERNATION, "on"), "hibernated", "running", "wake"),
    Refusal("no primary pod", without("pod/pg-1"), "no settled primary", "with a pod", "run again"),
    Refusal(
        "deleting", metadata("cluster", "deletionTimestamp", "2026-11-23T09:00:00Z"),
        "is being deleted", "stays", "exclude",
    ),
    Refusal("nobody elected", label("pod/pg-2", f"{KASTEN}/hasHooks", None), "no pod", "exactly one", "log"),
    Refusal("volume unlabelled", label("pvc/pg-2", f"{KASTEN}/elected", None), "pg-2", "ed=true", "wait"),
    Refusal("no argv", annotation("pod/pg-2", f"{KASTEN}/post-backup-command", None), "post", "words", "log"),
]  # fmt: skip


@pytest.mark.parametrize("case", REFUSALS, ids=lambda case: case.id)
def test_refusal_names_found_expected_and_remedy(case: Refusal) -> None:
    scene = healthy()
    case.spoil(scene)
    with pytest.raises(Refused) as refused:
        plan_fence(scene.world())
    case.check(refused.value)


# ---- what a dead run has left


def left_behind(state: State, *entries: str, late: bool = False, **changes: Any) -> Plan:
    """The plan on a cluster with this record and a fence on these instances."""
    scene = healthy()
    commands = (Late(instance="pg-2", until=NOW),) if late else ()
    annotation("cluster", RECORD_ANNOTATION, encode(record(state, late=commands, **changes)))(scene)
    annotation("cluster", FENCED, "[" + ",".join(f'"{entry}"' for entry in entries) + "]")(scene)
    return plan_fence(scene.world())


@pytest.mark.parametrize("state", [State.FENCED, State.SEALED, State.ENDING])
def test_fence_of_a_dead_run_is_ours(state: State) -> None:
    plan = left_behind(state, "pg-2")
    assert plan.standing is not None
    assert plan.standing.state is state


def test_announcement_of_a_dead_run_stands_though_no_entry_is_there() -> None:
    assert left_behind(State.PLACING).standing is not None


def test_entry_beside_a_mere_announcement_is_foreign() -> None:
    with pytest.raises(Refused, match="not ours: pg-2"):
        left_behind(State.PLACING, "pg-2")


def test_entry_is_ours_while_the_command_may_still_run() -> None:
    assert left_behind(State.PLACING, "pg-2", late=True).standing is not None


def test_entry_of_another_beside_ours_is_foreign() -> None:
    with pytest.raises(Refused) as refused:
        left_behind(State.SEALED, "pg-2", "pg-3")
    assert refused.value.found.endswith("not ours: pg-3")


def test_fence_that_has_ended_is_history() -> None:
    assert left_behind(State.ENDED).standing is None
    with pytest.raises(Refused, match="not ours: pg-2"):
        left_behind(State.ENDED, "pg-2")


def test_record_of_another_incarnation_does_not_count() -> None:
    assert left_behind(State.SEALED, cluster_uid="source").standing is None
    with pytest.raises(Refused, match="not ours: pg-2"):
        left_behind(State.SEALED, "pg-2", cluster_uid="source")


# ---- what the primary says


def standby(name: str, state: str = "streaming", sync_state: str = "async") -> Standby:
    return Standby(name=name, state=state, sync_state=sync_state)


def replication(*standbys: Standby, in_recovery: bool = False) -> Replication:
    return Replication(in_recovery=in_recovery, system_identifier="7711300797202939188", standbys=standbys)


def plan_with(**specified: Any) -> Plan:
    scene = healthy()
    scene.cluster["spec"] |= specified
    return plan_fence(scene.world())


def required(number: int, durability: str | None = None) -> dict[str, Any]:
    synchronous = {"method": "any", "number": number}
    return {"synchronous": synchronous | ({"dataDurability": durability} if durability else {})}


BOTH = replication(standby("pg-2"), standby("pg-3"))


@pytest.mark.parametrize(
    "specified",
    [
        pytest.param({}, id="asynchronous"),
        pytest.param({"postgresql": {"parameters": {}}}, id="no synchronous section"),
        pytest.param({"postgresql": required(1)}, id="one required, one stays"),
        pytest.param({"postgresql": required(1, "required")}, id="one required by name"),
        pytest.param({"postgresql": required(2, "preferred")}, id="preferred never stalls"),
        pytest.param({"minSyncReplicas": 1, "maxSyncReplicas": 2}, id="older spelling, one stays"),
        pytest.param({"minSyncReplicas": 0}, id="older spelling, none"),
    ],
)
def test_enough_replicas_stay(specified: dict[str, Any]) -> None:
    require_replication(plan_with(**specified), BOTH)


@pytest.mark.parametrize(
    ("found", "text", "expected"),
    [
        (replication(standby("pg-2"), standby("pg-3"), in_recovery=True), "pg-1", "accepts writes"),
        (replication(standby("pg-3")), "elected instance pg-2", "pg_stat_replication"),
        (replication(standby("pg-2", "catchup"), standby("pg-3")), "does not stream", "streaming"),
        (replication(standby("pg-2")), "0 replica(s)", "at least 1"),
        (replication(standby("pg-2"), standby("pg-3", "catchup")), "stream: none", "at least 1"),
        (replication(standby("pg-2"), standby("pg-3", "backup")), "0 replica(s)", "commits would be lost"),
        (replication(standby("pg-2"), standby("pg_basebackup")), "stream: none", "at least 1"),
        (replication(standby("pg-2"), standby("other-3"), standby("")), "stream: none", "at least 1"),
        (replication(standby("pg-2"), standby("pg-2")), "stream: none", "at least 1"),
        (replication(), "does not stream", "pg-2 in pg_stat_replication"),
    ],
)  # fmt: skip
def test_lone_primary_is_never_left_behind(found: Replication, text: str, expected: str) -> None:
    with pytest.raises(Refused) as refused:
        require_replication(plan_with(), found)
    assert text in refused.value.found
    assert expected in refused.value.expected
    assert refused.value.remedy


@pytest.mark.parametrize(
    "specified",
    [
        {"postgresql": required(2)},
        {"postgresql": required(2, "required")},
        {"minSyncReplicas": 2, "maxSyncReplicas": 2},
    ],
)
def test_synchronous_commits_must_not_stall(specified: dict[str, Any]) -> None:
    with pytest.raises(Refused, match=r"1 replica\(s\)") as refused:
        require_replication(plan_with(**specified), BOTH)
    assert "at least 2" in refused.value.expected
    assert "must not stall" in refused.value.expected
    assert "spec.instances" in refused.value.remedy


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("pg-dr-1", id="replica cluster"),
        pytest.param("pg-4", id="clone being made"),
    ],
)
def test_only_pods_of_the_cluster_count(name: str) -> None:
    # The operator's pg_basebackup streams under the name of the instance it makes: `pg-4` has no pod yet.
    with pytest.raises(Refused, match=r"0 replica\(s\)"):
        require_replication(plan_with(), replication(standby("pg-2"), standby(name)))


def test_instance_of_a_dead_run_need_not_stream() -> None:
    require_replication(left_behind(State.SEALED, "pg-2"), replication(standby("pg-3")))
    with pytest.raises(Refused, match="0 replica"):
        require_replication(left_behind(State.SEALED, "pg-2"), replication())
