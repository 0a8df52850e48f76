"""The blueprint: what Kanister makes of its templates is what the command line takes."""

from pathlib import Path
from typing import Any

import pytest

from kanfunc.cli import app
from tests.chart.helm import CHART, Manifest, evaluated, of_kind, rendered
from tests.commandline import parsed

DEFAULT = CHART / "ci" / "default-values.yaml"
FENCE_ID = "27fa7dad-7f4c-4a3b-9f5e-3a5d3a7f2d11"
POLICY: dict[str, Any] = {"Namespace": {"Name": "edb"}}
BOUND: dict[str, Any] = {"Object": {"metadata": {"namespace": "edb", "name": "cluster-example"}}}
BOUND_WITH_EMPTY_NAMESPACE = BOUND | {"Namespace": {"Name": ""}}
ARTIFACT = {"ArtifactsIn": {"fence": {"KeyValue": {"id": FENCE_ID}}}}
CONTEXTS = [POLICY, BOUND, BOUND_WITH_EMPTY_NAMESPACE]

# Which argument of a KubeTask every controller accepts.
ARGUMENTS = {"image", "command", "namespace", "podOverride"}
RESERVED = {"backup", "restore", "delete"}
VERBS = {
    "backupPrehook": ["fence"],
    "backupPosthook": ["unfence", "--outcome=success"],
    "restorePosthook": ["verify-restore"],
    "backupFailed": ["unfence", "--outcome=failure"],
}


def blueprint(manifests: list[Manifest]) -> Manifest:
    [found] = of_kind(manifests, "Blueprint")
    return found


def phase(manifests: list[Manifest], action: str) -> Manifest:
    [found] = blueprint(manifests)["actions"][action]["phases"]
    return dict(found)


def argv(action: str, context: dict[str, Any], directory: Path, **values: Any) -> list[str]:
    command = phase(rendered(DEFAULT, **values), action)["args"]["command"]
    # one evaluation for all arguments: each of Helm's takes a tenth of a second
    return evaluated("\n".join(command), context, directory).split("\n")


def test_never_replaces_what_kasten_does_itself(manifests: list[Manifest]) -> None:
    actions = blueprint(manifests)["actions"]
    assert not RESERVED & actions.keys()
    assert actions.keys() == VERBS.keys()


def test_arguments_of_phases_suit_old_controllers(manifests: list[Manifest]) -> None:
    for action, verb in VERBS.items():
        found = phase(manifests, action)
        assert found["func"] == "KubeTask"
        assert found["args"].keys() == ARGUMENTS
        assert found["args"]["command"][: 1 + len(verb)] == ["kanfunc", *verb]
        assert all(isinstance(word, str) for word in found["args"]["command"])


@pytest.mark.parametrize("action", VERBS)
@pytest.mark.parametrize("context", CONTEXTS, ids=["policy", "bound", "bound, empty namespace"])
def test_command_line_takes_every_command(action: str, context: dict[str, Any], tmp_path: Path) -> None:
    words = argv(action, context, tmp_path)
    assert words[0] == "kanfunc"
    options = parsed(app, words[1:])
    assert options["namespace"] == "edb"
    expected = None if context is POLICY else ["cluster-example"]
    assert options["cluster"] == expected


@pytest.mark.parametrize("context", CONTEXTS, ids=["policy", "bound", "bound, empty namespace"])
def test_fence_id_reaches_the_verification_where_there_is_one(
    context: dict[str, Any], tmp_path: Path
) -> None:
    with_id = parsed(app, argv("restorePosthook", context | ARTIFACT, tmp_path)[1:])
    assert str(with_id["expect_fence_id"]) == FENCE_ID
    empty: list[dict[str, Any]] = [{}, {"KeyValue": {}}]
    nothing = [{}, *({"ArtifactsIn": {"fence": fence}} for fence in empty)]
    for absent in nothing:
        words = argv("restorePosthook", context | absent, tmp_path)
        assert parsed(app, words[1:])["expect_fence_id"] is None


def test_fence_id_leaves_as_an_artifact(manifests: list[Manifest]) -> None:
    actions = blueprint(manifests)["actions"]
    output = actions["backupPrehook"]["outputArtifacts"]["fence"]["keyValue"]["id"]
    assert output == "{{ .Phases.fence.Output.fenceId }}"
    assert actions["backupPrehook"]["phases"][0]["name"] == "fence"
    assert actions["restorePosthook"]["inputArtifactNames"] == ["fence"]


def test_limits_are_those_of_the_values(tmp_path: Path) -> None:
    limits = {
        "deadline": 601, "maxAge": 602, "replay": 63, "hook": 64, "stop": 65, "stream": 66, "snapshot": 67,
        "primary": 68,
    }  # fmt: skip
    values = {f"timeouts__{key}": value for key, value in limits.items()} | {"kasten__hookBudget": 999}
    fence = parsed(app, argv("backupPrehook", POLICY, tmp_path, **values)[1:])
    names = ["deadline", "max_age", "replay_timeout", "hook_timeout", "stop_timeout", "stream_timeout"]
    assert [fence[name] for name in names] == [601, 602, 63, 64, 65, 66]
    unfence = parsed(app, argv("backupPosthook", POLICY, tmp_path, **values)[1:])
    names = ["snapshot_timeout", "hook_timeout", "stream_timeout", "hook_budget"]
    assert [unfence[name] for name in names] == [67, 64, 66, 999]
    verify = parsed(app, argv("restorePosthook", POLICY, tmp_path, **values)[1:])
    assert verify["primary_timeout"] == 68


def test_pods_of_hooks_run_as_their_own_account(manifests: list[Manifest]) -> None:
    [account] = [
        each for each in of_kind(manifests, "ServiceAccount") if each["metadata"]["name"].endswith("-hook")
    ]
    for action in VERBS:
        arguments = phase(manifests, action)["args"]
        assert arguments["podOverride"]["serviceAccountName"] == account["metadata"]["name"]
        assert arguments["namespace"] == account["metadata"]["namespace"]
        assert arguments["podOverride"]["automountServiceAccountToken"] is True
        assert [each["name"] for each in arguments["podOverride"]["containers"]] == ["container"]
