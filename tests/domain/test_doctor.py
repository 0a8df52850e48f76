"""The parts of doctor that are tables: limits, rights, versions, schedules, selectors."""

import re
from typing import Any

import msgspec
import pytest
import yaml
from typer.main import get_command

from kanfunc.cli import app
from kanfunc.domain.blueprint import DEADLINE, LIMITS, MARGIN, Blueprint
from kanfunc.domain.diagnosis import Grade, Unread
from kanfunc.domain.kasten import Binding, Filters, Policy
from kanfunc.domain.schedule import cron_minutes, meet, policy_minutes
from kanfunc.domain.selector import Item, Selector
from kanfunc.domain.surroundings import examine_budget, rights_of_classes, rights_of_hooks
from kanfunc.domain.traps import TRAPS, examine_operator
from tests.builders import REF, cluster, healthy
from tests.installed import REPOSITORY, manifests

VERSION = "k8s.enterprisedb.io/operatorVersion"


def blueprint() -> Blueprint:
    [found] = [each for each in manifests("edb", "binding") if each["kind"] == "Blueprint"]
    return msgspec.convert(found, Blueprint)


# ---- time limits


def test_limits_are_those_of_the_command_line() -> None:
    commands: Any = get_command(app)
    for verb, limits in LIMITS.items():
        defaults = {each.opts[0][2:]: each.default for each in commands.commands[verb].params if each.opts}
        assert limits.items() <= defaults.items()
    fence = {each.opts[0]: each.default for each in commands.commands["fence"].params}
    assert fence["--deadline"] == DEADLINE


def test_limits_add_up_as_in_the_chart() -> None:
    """The chart refuses values whose sum does not fit; both must mean the same sum."""
    template = (REPOSITORY / "chart" / "templates" / "blueprint.yaml").read_text()
    sums = dict(re.findall(r"\$(fence|unfence|verify) := add ([^-]+) -", template))
    sums = {name: set(re.findall(r"\$t\.(\w+)|(\d+)", text)) for name, text in sums.items()}
    for verb, limits in LIMITS.items():
        terms = {(option.removesuffix("-timeout"), "") for option in limits}
        terms |= {("", str(MARGIN[verb]))} if verb in MARGIN else set()
        assert sums[verb.partition("-")[0]] == terms


def test_calls_of_the_shipped_blueprint() -> None:
    verbs = {name: call.verb for name in blueprint().actions for call in blueprint().calls(name)}
    assert verbs == {
        "backupPrehook": "fence", "backupPosthook": "unfence success", "restorePosthook": "verify-restore",
        "backupFailed": "unfence failure",
    }  # fmt: skip
    [fence] = blueprint().calls("backupPrehook")
    assert (fence.seconds, fence.account) == (600, "edb-kasten-hook")
    assert blueprint().calls("unknown") == ()


@pytest.mark.parametrize(
    ("config", "grade"),
    [
        ({}, Grade.GOOD),
        ({"K10TimeoutBlueprintResourceHooks": "20"}, Grade.GOOD),
        ({"K10TimeoutBlueprintResourceHooks": "20m"}, Grade.GOOD),
        ({"KanisterHookTimeout": "15"}, Grade.WARNING),
        ({"K10TimeoutBlueprintResourceHooks": "1h30m"}, Grade.NOT_CHECKED),
    ],
)
def test_budget(config: dict[str, str], grade: Grade) -> None:
    """The longest of ours is verify-restore: 1020 s."""
    calls = [call for name in blueprint().actions for call in blueprint().calls(name)]
    assert examine_budget(config, calls).grade is grade
    assert examine_budget(config, []).grade is Grade.NOT_CHECKED
    assert examine_budget(Unread("no"), calls).grade is Grade.NOT_CHECKED


# ---- rights


def test_rights_that_are_asked_for_are_those_that_the_chart_grants() -> None:
    roles = {each["metadata"]["name"]: each for each in manifests("edb", "binding")
             if each["kind"] == "ClusterRole"}  # fmt: skip
    granted = {
        name: {(g, r, v) for rule in roles[f"edb-kasten-{name}"]["rules"]
               for g in rule["apiGroups"] for r in rule["resources"] for v in rule["verbs"]}
        for name in ("hook", "classes")
    }  # fmt: skip
    other = "postgresql.cnpg.io"
    assert set(rights_of_hooks(cluster())) == {each for each in granted["hook"] if each[0] != other}
    assert set(rights_of_classes()) == granted["classes"]


# ---- versions of the operator


@pytest.mark.parametrize(
    ("version", "traps"),
    [
        ("1.22.3", {0, 1, 3}), ("1.27.3", {1, 3}), ("1.27.4", {3}), ("1.28.1", {1, 2, 3}),
        ("1.28.2", {2, 3}), ("1.30.0", {2, 3}), ("v1.30.1", {2}), ("1.31.0-rc1", {2}),
    ],
)  # fmt: skip
def test_traps_of_a_version(version: str, traps: set[int]) -> None:
    scene = healthy()
    scene.pods["pg-1"]["metadata"]["annotations"][VERSION] = version
    found = examine_operator(scene.world())
    assert {check.grade for check in found} == {Grade.WARNING}
    assert [check.remedy for check in found] == [TRAPS[number].remedy for number in sorted(traps)]


@pytest.mark.parametrize("version", [None, "main", "1.2"])
def test_version_that_is_none_is_not_checked(version: str | None) -> None:
    scene = healthy()
    if version:
        scene.pods["pg-1"]["metadata"]["annotations"][VERSION] = version
    assert [check.grade for check in examine_operator(scene.world())] == [Grade.NOT_CHECKED]


# ---- schedules


@pytest.mark.parametrize(
    ("schedule", "minutes"),
    [
        ("0 0 0 * * *", [0]), ("@daily", [0]), ("0 */30 1-2 * * *", [60, 90, 120, 150]),
        ("0 5/25 3 * * 1", [185, 210, 235]), ("0 0,15 23 ? * *", [1380, 1395]),
    ],
)  # fmt: skip
def test_cron(schedule: str, minutes: list[int]) -> None:
    assert sorted(cron_minutes(schedule) or ()) == minutes


@pytest.mark.parametrize("schedule", ["", "0 0 * * *", "@every 1h", "0 x 0 * * *", "0 0 a-b * * *"])
def test_cron_that_cannot_be_read(schedule: str) -> None:
    assert cron_minutes(schedule) is None


@pytest.mark.parametrize(
    ("spec", "minutes"),
    [
        ({"frequency": "@daily"}, [0]),
        ({"frequency": "@daily", "subFrequency": {"minutes": [15], "hours": [2, 14]}}, [135, 855]),
        ({"frequency": "@onDemand"}, []),
        ({}, []),
        ({"frequency": "@sometimes"}, None),
    ],
)
def test_policy_times(spec: dict[str, Any], minutes: list[int] | None) -> None:
    policy = msgspec.convert({"metadata": {"name": "x"}, "spec": spec}, Policy)
    found = policy_minutes(policy.spec)
    assert (found if found is None else sorted(found)) == minutes


def test_every_hour_is_every_hour() -> None:
    spec = {"frequency": "@hourly", "subFrequency": {"minutes": [5]}}
    policy = msgspec.convert({"metadata": {"name": "x"}, "spec": spec}, Policy)
    assert len(policy_minutes(policy.spec) or ()) == 24


@pytest.mark.parametrize(("ours", "theirs", "at"), [(0, 30, 30), (0, 1410, 1410), (0, 720, None), (60, 0, 0)])
def test_meeting_knows_midnight(ours: int, theirs: int, at: int | None) -> None:
    assert meet(frozenset({ours}), frozenset({theirs}), 60) == at


# ---- selectors: what is unknown is never yes

ITEM = Item(
    "postgresql.k8s.enterprisedb.io", "clusters", REF.namespace, REF.name, {"a": "1"}, {"note": "x"}
)  # fmt: skip
EXPRESSIONS = [
    ({"key": "a", "operator": "In", "values": ["1", "2"]}, True),
    ({"key": "a", "operator": "In", "values": ["*"]}, True),
    ({"key": "a", "operator": "NotIn", "values": ["1"]}, False),
    ({"key": "b", "operator": "NotIn", "values": ["1"]}, True),
    ({"key": "a", "operator": "Exists"}, True),
    ({"key": "a", "operator": "DoesNotExist"}, False),
    ({"key": "a", "operator": "Gt", "values": ["0"]}, None),
]


@pytest.mark.parametrize(("expression", "answer"), EXPRESSIONS)
def test_selector(expression: dict[str, Any], answer: bool | None) -> None:  # noqa: FBT001
    selector = msgspec.convert({"matchExpressions": [expression]}, Selector)
    assert selector.meets(ITEM.labels) is answer


@pytest.mark.parametrize(
    ("filters", "taken"),
    [
        ({}, True),
        ({"excludeResources": [{"resource": "clusters"}]}, False),
        ({"excludeResources": [{"resource": "clusters", "name": "other"}]}, True),
        ({"excludeResources": [{"matchLabels": {"a": "1"}}]}, False),
        ({"includeResources": [{"resource": "pods"}]}, False),
        ({"includeResources": [{"group": "postgresql.k8s.enterprisedb.io"}]}, True),
        ({"excludeResources": [{"matchExpressions": [{"key": "a", "operator": "Like"}]}]}, None),
    ],
)
def test_filters(filters: dict[str, Any], taken: bool | None) -> None:  # noqa: FBT001
    assert msgspec.convert(filters, Filters).take(ITEM) is taken


TYPE = {"type": {"values": [{"group": "postgresql.k8s.enterprisedb.io", "resource": "clusters"}]}}


@pytest.mark.parametrize(
    ("resources", "bound"),
    [
        ({}, False),
        ({"matchAll": [TYPE]}, True),
        ({"matchAll": [TYPE, {"namespace": {"operator": "In", "values": ["other"]}}]}, False),
        ({"matchAll": [TYPE, {"labels": {"key": "a", "operator": "Exists"}}]}, True),
        ({"matchAll": [TYPE, {"annotations": {"key": "note", "operator": "DoesNotExist"}}]}, False),
        ({"matchAny": [{"labels": {"key": "b", "operator": "Exists"}}, TYPE]}, True),
        ({"matchAll": [TYPE], "matchAny": [{"labels": {"key": "b", "operator": "Exists"}}]}, False),
    ],
)
def test_binding(resources: dict[str, Any], bound: bool) -> None:  # noqa: FBT001
    spec = {"blueprintRef": {"name": "b", "namespace": "kasten-io"}, "resources": resources}
    binding = msgspec.convert({"metadata": {"name": "x"}, "spec": spec}, Binding)
    assert binding.binds(ITEM) is bound


def test_requirement_of_an_unknown_kind_is_not_passed_over() -> None:
    spec = {"blueprintRef": {"name": "b"}, "resources": {"matchAll": [TYPE, {"images": {"x": 1}}]}}
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"metadata": {"name": "x"}, "spec": spec}, Binding)


def test_policy_by_other_labels_is_not_taken_for_ours() -> None:
    text = (REPOSITORY / "examples" / "policy-binding.yaml").read_text().replace("appNamespace", "team")
    policy = msgspec.convert(yaml.safe_load(text), Policy)
    assert policy.covers("edb") is None
