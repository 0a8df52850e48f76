"""doctor through the whole command line: it tells what fence would refuse, and writes nothing."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from kanfunc.gateways import scripts, shell
from kanfunc.gateways.surveyor import CAPACITY
from tests.builders import REF
from tests.domain.spoiling import annotation
from tests.gateways.conftest import FOREVER, of
from tests.installed import KASTEN_IO, install
from tests.lab.apiserver import (
    BINDINGS,
    BLUEPRINTS,
    CLUSTER_ROLE_BINDINGS,
    CONFIGMAPS,
    DEPLOYMENTS,
    EDB_SCHEDULED_BACKUPS,
    POLICIES,
    VOLUME_SNAPSHOT_CLASSES,
    ApiServer,
    ExecRequest,
    Fault,
    Manifest,
    Refuse,
    Reply,
    Resource,
    Store,
)
from tests.refusals.conftest import MUTATING, Call, Ended, World
from tests.refusals.test_scenes import IMPOSSIBLE, SPOILT

Alter = Callable[[Store], object]
GIB = 1024**3
WAL = {
    "written": GIB, "seconds": 86400.0, "wal_keep": 0, "slot_keep": -1, "slots": {"pg-2": "_cnpg_pg_2"},
    "archiving": False, "archive_failing": False, "free": 10 * GIB,
}  # fmt: skip
VERSION = "k8s.enterprisedb.io/operatorVersion"


@dataclass
class Examined(World):
    """A scene with our installation around it; `alter` spoils what was installed."""

    mode: str = "binding"
    wal: dict[str, Any] = field(default_factory=lambda: dict(WAL))
    mark: str = ""
    alter: Alter = lambda _: None

    def __post_init__(self) -> None:
        for pod in self.scene.pods.values():
            pod["metadata"]["annotations"][VERSION] = "1.27.9"

    def answer(self, request: ExecRequest) -> Reply:
        if CAPACITY in request.command:
            return Reply(0, stdout=json.dumps(self.wal))
        if scripts.INSPECT in request.command:
            root = request.command[-1]
            sections = {"digest": "d", f"mark:{root}": self.mark, f"verdict:{root}": "", "running": "yes"}
            return Reply(0, "".join(f"\n{shell.SECTION}{key}\n{text}\n" for key, text in sections.items()))
        return super().answer(request)

    def fill(self, store: Store) -> None:
        super().fill(store)
        install(store, REF.namespace, self.mode)
        self.alter(store)


def doctor(call: Call, world: World, *options: str, **more: Any) -> tuple[Ended, dict[str, dict[str, Any]]]:
    """How it ended, and its checks by name; of several with one name the worst."""
    ended = call(world, "doctor", "-n", REF.namespace, "--format", "json", *options, **more)
    assert "Traceback" not in ended.log + ended.usage
    assert not ended.changed
    assert {each.plural for each in ended.wrote} <= {"subjectaccessreviews"}
    if ended.exit_code not in {0, 2}:
        return ended, {}
    [examination] = json.loads(ended.stdout)
    assert examination["would_be_proven"] is (ended.exit_code == 0)
    worst = ["good", "not checked", "warning", "bad"]
    found: dict[str, dict[str, Any]] = {}
    for each in sorted(examination["diagnoses"], key=lambda each: worst.index(each["grade"])):
        found[each["check"]] = each
    return ended, found


@pytest.mark.parametrize("mode", ["binding", "policy"])
def test_what_is_shipped_is_good(call: Call, mode: str) -> None:
    ended, checks = doctor(call, Examined(mode=mode))
    assert ended.exit_code == 0
    traps = checks.pop("operator version")
    assert traps["grade"] == "warning"
    assert "1.27.9" in traps["found"]
    assert {each["grade"] for each in checks.values()} == {"good"}, checks
    assert len(checks) >= 18


@pytest.mark.parametrize("name", sorted(SPOILT.keys() - IMPOSSIBLE))
def test_whatever_fence_refuses_is_told_beforehand(name: str, call: Call) -> None:
    world = Examined()
    world.scene.cluster["metadata"].setdefault("labels", {})
    SPOILT[name](world.scene)
    ended, checks = doctor(call, world)
    assert ended.exit_code == (3 if name.startswith("Cloud Pak") else 2)
    wrong = [each for each in checks.values() if each["grade"] == "bad"]
    assert wrong or ended.exit_code == 3
    assert all(each["found"] and each["expected"] and each["remedy"] for each in wrong)


@pytest.mark.parametrize("standbys", [{}, {"pg-2": "streaming"}, {"pg-3": "streaming"}])
def test_replicas_that_do_not_stream_are_told(standbys: dict[str, str], call: Call) -> None:
    ended, checks = doctor(call, Examined(standbys=standbys))
    assert ended.exit_code == 2
    assert checks["replicas"]["grade"] == "bad"


# ---- green but hot, late, or at a price: what is wrong outside of the cluster


def edit(resource: Resource, name: str, change: Callable[[Manifest], object]) -> Alter:
    def alter(store: Store) -> None:
        def edited(manifest: Manifest) -> None:
            change(manifest)

        store.update(resource, KASTEN_IO, name, edited)

    return alter


def drop(*resources: Resource) -> Alter:
    def alter(store: Store) -> None:
        for resource in resources:
            for each in store.list(resource):
                store.delete(resource, each["metadata"].get("namespace", ""), each["metadata"]["name"])

    return alter


def backup(manifest: Manifest) -> Manifest:
    found: Manifest = manifest["spec"]["actions"][0]["backupParameters"]
    return found


def policy(change: Callable[[Manifest], object]) -> Alter:
    return edit(POLICIES, "edb-backup", change)


def published(manifest: Manifest) -> None:
    """The blueprint that loops over pods found by label, and ends well where there is none."""
    for action in manifest["actions"].values():
        action["phases"][0]["args"]["command"] = ["bash", "-c", "kubectl get pods -l hasHooks"]


def aimed(manifest: Manifest, option: str, value: str) -> None:
    """The hook names one place, instead of that of whoever is backed up."""
    command = manifest["actions"]["backupPrehook"]["phases"][0]["args"]["command"]
    command[:] = [word for word in command if not word.startswith(option)] + [f"{option}={value}"]


def renamed(old: str, new: str) -> Alter:
    return edit(BLUEPRINTS, "edb-hooks", lambda m: m["actions"].update({new: m["actions"].pop(old)}))


def only(kind: str) -> Alter:
    """Include Filters of one kind alone."""
    entry = {"resource": kind}
    return policy(lambda m: backup(m)["filters"].update(includeResources=[entry]))


def scheduled(schedule: str, **spec: Any) -> Alter:
    manifest = {
        "apiVersion": "postgresql.k8s.enterprisedb.io/v1",
        "kind": "ScheduledBackup",
        "metadata": {"name": "theirs", "namespace": REF.namespace},
        "spec": {"cluster": {"name": REF.name}, "schedule": schedule, **spec},
    }
    return lambda store: store.create(EDB_SCHEDULED_BACKUPS, manifest)


HOOKS, FILTERS, FAILURE = (f"policy edb-backup: {part}" for part in ("hooks", "filters", "failure"))
BAD: dict[str, tuple[Alter, str, str]] = {
    "nothing is bound": (drop(BINDINGS), HOOKS, "no BlueprintBinding is for this Cluster"),
    "the blueprint is another's": (edit(BLUEPRINTS, "edb-hooks", published), HOOKS, "is not ours"),
    "the blueprint is gone": (drop(BLUEPRINTS), HOOKS, "is not in namespace kasten-io"),
    "an action has no reserved name": (renamed("backupPrehook", "fence"), HOOKS, "no reserved name"),
    "the second action has none": (renamed("backupPosthook", "after"), HOOKS, "backupPosthook does not run"),
    "an action replaces snapshots": (
        edit(BLUEPRINTS, "edb-hooks", lambda m: m["actions"].update(backup={})), HOOKS, "defines backup",
    ),
    "the cluster is left out": (only("persistentvolumeclaims"), FILTERS, "leave out pg, pg-2"),
    "volumes are left out": (only("clusters"), FILTERS, "take no volume"),
    "nothing is left out": (
        policy(lambda m: backup(m)["filters"].clear()), FILTERS, "they take pg-1, pg-2, pg-3",
    ),
    "there is no policy": (drop(POLICIES), "policies", "no policy"),
    "it is paused": (policy(lambda m: m["spec"].update(paused=True)), "policies", "paused"),
    "it is another namespace's": (
        policy(lambda m: m["spec"]["selector"]["matchExpressions"][0].update(values=["other"])),
        "policies", "no policy",
    ),
    "the hook is for another namespace": (
        edit(BLUEPRINTS, "edb-hooks", lambda m: aimed(m, "--namespace", "other")), HOOKS, "nobody calls",
    ),
    "the hook is for another cluster": (
        edit(BLUEPRINTS, "edb-hooks", lambda m: aimed(m, "--cluster", "other")), HOOKS, "nobody calls",
    ),
    "the account may nothing": (drop(CLUSTER_ROLE_BINDINGS), "rights of the hooks", "may not: get clusters"),
}  # fmt: skip
WARNED: dict[str, tuple[Alter, str, str]] = {
    "no release after a failure": (policy(lambda m: backup(m).pop("hooks")), FAILURE, "no onFailure"),
    "Kasten is impatient": (
        edit(CONFIGMAPS, "k10-config", lambda m: m["data"].update(K10TimeoutBlueprintResourceHooks="5")),
        "hook time-out", "gives 300 s (K10TimeoutBlueprintResourceHooks)",
    ),
    "no watchdog": (drop(DEPLOYMENTS), "watchdog", "no watchdog is for this cluster"),
    "a watchdog that is down": (
        lambda store: store.update(
            DEPLOYMENTS, KASTEN_IO, "edb-kasten-watchdog", lambda m: m.update(status={}), status=True,
        ),
        "watchdog", "is not ready",
    ),
    "a watchdog of others": (
        edit(DEPLOYMENTS, "edb-kasten-watchdog", lambda m: m["spec"]["template"]["spec"]["containers"][0][
            "command"].append("--namespace=other")), "watchdog", "no watchdog is for this cluster",
    ),
    "the operator's backup at night": (scheduled("0 30 0 * * *"), "scheduled backups", "meet at 00:30"),
    "no snapshots to be seen": (drop(VOLUME_SNAPSHOT_CLASSES), "snapshots", "no VolumeSnapshotClass"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_ways_to_a_hot_backup_are_told(name: str, call: Call) -> None:
    alter, check, words = BAD[name]
    ended, checks = doctor(call, Examined(alter=alter))
    assert ended.exit_code == 2
    assert checks[check]["grade"] == "bad"
    assert words in checks[check]["found"]
    assert check in ended.failure["found"]


@pytest.mark.parametrize("name", WARNED)
def test_what_is_not_as_it_should_be_is_a_warning(name: str, call: Call) -> None:
    alter, check, words = WARNED[name]
    ended, checks = doctor(call, Examined(alter=alter))
    assert ended.exit_code == 0
    assert checks[check]["grade"] == "warning"
    assert words in checks[check]["found"]
    assert checks[check]["remedy"]


def test_policy_hooks_do_not_help_where_a_bound_blueprint_replaces_the_snapshots(call: Call) -> None:
    spoil = edit(BLUEPRINTS, "edb-hooks", lambda m: m["actions"].update(backup={}))
    world = Examined(mode="policy", alter=spoil)
    annotation("cluster", "kanister.kasten.io/blueprint", "edb-hooks")(world.scene)
    ended, checks = doctor(call, world)
    assert ended.exit_code == 2
    assert "defines backup" in checks[HOOKS]["found"]


@pytest.mark.parametrize(("mode", "exit_code"), [("binding", 2), ("policy", 0)])
def test_nobody_can_say_whether_the_hook_of_an_owned_cluster_is_called(
    mode: str, exit_code: int, call: Call
) -> None:
    world = Examined(mode=mode)
    owner = {"apiVersion": "v1", "kind": "Application", "name": "shop", "uid": "u"}
    world.scene.cluster["metadata"]["ownerReferences"] = [owner]
    ended, checks = doctor(call, world)
    assert ended.exit_code == exit_code
    if exit_code:
        assert checks[HOOKS]["grade"] == "not checked"
        assert "Application/shop" in checks[HOOKS]["found"]


def test_a_blueprint_elsewhere_is_not_taken_for_ours(call: Call) -> None:
    def alter(store: Store) -> None:
        for each in store.list(BINDINGS):
            change = edit(BINDINGS, each["metadata"]["name"],
                          lambda m: m["spec"]["blueprintRef"].update(namespace="other"))  # fmt: skip
            change(store)

    ended, checks = doctor(call, Examined(alter=alter))
    assert ended.exit_code == 2
    assert checks[HOOKS]["grade"] == "not checked"


@pytest.mark.parametrize("limit", [{"version": "v2"}, {"phase": "Bound"}])
def test_an_exclusion_that_takes_less_than_it_seems_excludes_nothing(
    limit: dict[str, str], call: Call
) -> None:
    world = Examined(alter=policy(lambda m: backup(m)["filters"]["excludeResources"][0].update(limit)))
    assert doctor(call, world)[0].exit_code == 2


@pytest.mark.parametrize("missing", ["preHook", "onSuccess"])
def test_policy_hooks_must_be_both(missing: str, call: Call) -> None:
    world = Examined(mode="policy", alter=policy(lambda m: backup(m)["hooks"].pop(missing)))
    ended, checks = doctor(call, world)
    assert ended.exit_code == 2
    assert checks[HOOKS]["grade"] == "bad"


def test_annotation_on_the_pod_binds_nothing(call: Call) -> None:
    world = Examined(alter=drop(BINDINGS))
    annotation("pod/pg-2", "kanister.kasten.io/blueprint", "edb-hooks")(world.scene)
    assert "binds nothing" in doctor(call, world)[1][HOOKS]["found"]
    annotation("cluster", "kanister.kasten.io/blueprint", "edb-hooks")(world.scene)
    assert doctor(call, world)[0].exit_code == 0


@pytest.mark.parametrize("schedule", ["0 0 12 * * *", "0 30 0 1 1 *"])
def test_suspended_or_far_away_schedules_do_not_matter(schedule: str, call: Call) -> None:
    world = Examined(alter=scheduled(schedule, suspend=not schedule.startswith("0 0 12")))
    assert doctor(call, world)[1]["scheduled backups"]["grade"] == "good"


@pytest.mark.parametrize(
    ("wal", "check", "words"),
    [
        ({"free": 1024**2}, "disk of the primary", "1.0 MiB free"),
        ({"slots": {}}, "WAL retention", "wal_keep_size keeps 0.0 MiB"),
        ({"slot_keep": 1024**2}, "WAL retention", "slot _cnpg_pg_2 keeps 1.0 MiB"),
        ({"slots": {}, "archiving": True, "archive_failing": True}, "WAL retention", "keeps 0.0 MiB"),
        ({"archiving": True, "archive_failing": True}, "archive", "failed"),
    ],
)
def test_what_the_primary_cannot_keep_is_a_warning(
    wal: dict[str, Any], check: str, words: str, call: Call
) -> None:
    ended, checks = doctor(call, Examined(wal=WAL | wal))
    assert ended.exit_code == 0
    assert checks[check]["grade"] == "warning"
    assert words in checks[check]["found"]


@pytest.mark.parametrize(
    "wal", [{"slots": {}, "wal_keep": GIB}, {"slots": {}, "archiving": True}, {"slot_keep": GIB}]
)
def test_any_way_of_keeping_wal_will_do(wal: dict[str, Any], call: Call) -> None:
    assert doctor(call, Examined(wal=WAL | wal))[1]["WAL retention"]["grade"] == "good"


def test_young_statistics_tell_no_pace(call: Call) -> None:
    checks = doctor(call, Examined(wal=WAL | {"seconds": 60}))[1]
    assert checks["disk of the primary"]["grade"] == "not checked"


def test_old_marks_are_told(call: Call) -> None:
    assert doctor(call, Examined(mark="{"))[1]["marks"]["found"] == "pg-2: unreadable"


# ---- what cannot be read

UNREADABLE = {
    "policies": ("policies", True), "blueprintbindings": ("policies", True), "blueprints": ("policies", True),
    "configmaps": ("hook time-out", False), "deployments": ("watchdog", False),
    "scheduledbackups": ("scheduled backups", False), "subjectaccessreviews": ("rights of the hooks", False),
    "storageclasses": ("snapshots", False), "volumesnapshotclasses": ("snapshots", False),
}  # fmt: skip


@pytest.mark.parametrize("plural", UNREADABLE)
def test_what_cannot_be_read_is_not_checked_and_never_good(plural: str, call: Call) -> None:
    check, decides = UNREADABLE[plural]

    def forbid(server: ApiServer) -> None:
        server.faults.append(Fault(of(plural), Refuse(403), FOREVER))

    ended, checks = doctor(call, Examined(), prepare=forbid)
    assert ended.exit_code == (2 if decides else 0)
    assert checks[check]["grade"] == "not checked"
    assert "403" in checks[check]["found"]


def test_without_exec_nobody_can_say(call: Call) -> None:
    def forbid(server: ApiServer) -> None:
        server.faults.append(Fault(lambda each: each.subresource == "exec", Refuse(403), FOREVER))

    ended, checks = doctor(call, Examined(), prepare=forbid)
    assert ended.exit_code == 2
    unread = {name for name, each in checks.items() if each["grade"] == "not checked"}
    assert unread == {"replicas", "WAL retention", "disk of the primary", "archive", "marks"}


def test_server_that_fails_is_no_bad_answer(call: Call) -> None:
    def fail(server: ApiServer) -> None:
        server.faults.append(Fault(of("clusters"), Refuse(500), FOREVER))

    assert doctor(call, Examined(), prepare=fail)[0].exit_code == 1


def test_text_is_for_people(call: Call) -> None:
    ended = call(Examined(alter=drop(BINDINGS)), "doctor", "-n", REF.namespace)
    first, *lines = ended.stdout.splitlines()
    assert first == "prod/pg: a backup now would NOT be proven"
    assert '  ok   add-on: ["kasten"]' in lines
    [at] = [number for number, line in enumerate(lines) if line.startswith(f"  BAD  {HOOKS}: ")]
    assert [line[:16] for line in lines[at + 1 : at + 3]] == ["       expected:", "       next: hel"]


def test_only_lists_gets_reviews_and_commands_that_look(call: Call) -> None:
    assert MUTATING & {"create"}  # what `doctor()` above asserts is not empty
    ended, _ = doctor(call, Examined())
    assert {(each.verb, each.plural) for each in ended.wrote} == {("create", "subjectaccessreviews")}
