"""What the chart renders, whatever the values."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from kanfunc import __version__
from kanfunc.cli import app
from tests.chart.helm import CHART, VALUES, HelmError, Manifest, helm, named, of_kind, rendered
from tests.commandline import parsed

DEFAULT = CHART / "ci" / "default-values.yaml"


def pod_specs(manifests: list[Manifest]) -> Iterator[tuple[str, Manifest]]:
    """Every pod that anybody will make from these manifests, and what it is for."""
    for manifest in manifests:
        kind, name, spec = manifest["kind"], manifest["metadata"]["name"], manifest.get("spec") or {}
        if kind == "Pod":
            yield name, spec
        elif kind in {"Deployment", "Job"}:
            yield name, spec["template"]["spec"]
        elif kind == "CronJob":
            yield name, spec["jobTemplate"]["spec"]["template"]["spec"]
        elif kind == "Blueprint":
            for action, body in manifest["actions"].items():
                for phase in body["phases"]:
                    container = {"image": phase["args"]["image"], "command": phase["args"]["command"]}
                    pod = phase["args"]["podOverride"]
                    yield action, pod | {"containers": [container | pod["containers"][0]]}


def keys(value: Any) -> Iterator[str]:
    """Every key anywhere."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from keys(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from keys(inner)


def test_lints(values: Path) -> None:
    assert "0 chart(s) failed" in helm("lint", "--strict", str(CHART), f"--values={values}")


def test_version_is_the_products() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert chart["appVersion"] == __version__


def test_pods_pass_the_restricted_standard(manifests: list[Manifest]) -> None:
    """https: Kubernetes, Pod Security Standards, profile restricted; beyond it, a read-only root."""
    found = list(pod_specs(manifests))
    assert len(found) >= 5
    for name, spec in found:
        assert spec["securityContext"]["runAsNonRoot"] is True, name
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert not {"hostNetwork", "hostPID", "hostIPC"} & spec.keys(), name
        kinds = {kind for volume in spec.get("volumes", []) for kind in volume.keys() - {"name"}}
        assert kinds <= {"configMap", "emptyDir", "persistentVolumeClaim", "projected"}, name
        for container in spec["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }, name
            assert container["resources"]["requests"], name
            assert "hostPort" not in keys(container), name


def test_no_user_is_fixed(manifests: list[Manifest]) -> None:
    assert not {"runAsUser", "runAsGroup", "fsGroup", "supplementalGroups"} & set(keys(manifests))


def test_no_shell_anywhere(manifests: list[Manifest]) -> None:
    for name, spec in pod_specs(manifests):
        for container in spec["containers"]:
            assert container["command"][0] in {"kanfunc", "python"}, name
            assert "args" not in container


def test_one_image_everywhere(values: Path, manifests: list[Manifest]) -> None:
    image = yaml.safe_load(values.read_text())["image"]
    tag = f"@{image['digest']}" if "digest" in image else f":{image.get('tag', __version__)}"
    for name, spec in pod_specs(manifests):
        for container in spec["containers"]:
            assert container["image"] == image["repository"] + tag, name
            assert container["imagePullPolicy"] == image.get("pullPolicy", "IfNotPresent")
        secrets = [each["name"] for each in spec.get("imagePullSecrets", [])]
        assert secrets == image.get("pullSecrets", []), name


def words_of(container: Manifest, root: Path) -> list[str]:
    """Its command, with what is mounted below `root`."""
    for folder in ("checks", "credentials", "reports"):
        (root / folder).mkdir(exist_ok=True)
    (root / "checks" / "checks.yaml").touch()
    return [word.replace("=/", f"={root}/") for word in container["command"][1:]]


def test_commands_of_pods_are_taken_by_the_command_line(manifests: list[Manifest], tmp_path: Path) -> None:
    for name, spec in pod_specs([each for each in manifests if each["kind"] != "Blueprint"]):
        for container in spec["containers"]:
            if container["command"][0] == "kanfunc":
                assert parsed(app, words_of(container, tmp_path)), name


def test_accounts_are_separate_and_their_tokens_explicit(manifests: list[Manifest]) -> None:
    accounts = of_kind(manifests, "ServiceAccount")
    assert {each["automountServiceAccountToken"] for each in accounts} == {False}
    names = {(each["metadata"]["namespace"], each["metadata"]["name"]) for each in accounts}
    for binding in of_kind(manifests, "ClusterRoleBinding") + of_kind(manifests, "RoleBinding"):
        [subject] = binding["subjects"]
        assert (subject["namespace"], subject["name"]) in names


def test_secrets_are_nobodys_business(manifests: list[Manifest]) -> None:
    for role in of_kind(manifests, "ClusterRole") + of_kind(manifests, "Role"):
        for rule in role["rules"]:
            assert not {"secrets", "*"} & {*rule["resources"], *rule["verbs"], *rule["apiGroups"]}


def test_every_object_is_labelled_and_placed(manifests: list[Manifest], values: Path) -> None:
    extra = yaml.safe_load(values.read_text()).get("labels", {})
    for manifest in manifests:
        labels = manifest["metadata"]["labels"]
        assert labels["app.kubernetes.io/name"] == "edb-kasten"
        assert extra.items() <= labels.items()
        cluster_wide = manifest["kind"] in {"ClusterRole", "ClusterRoleBinding"}
        assert ("namespace" in manifest["metadata"]) is not cluster_wide, manifest["metadata"]["name"]


def test_names_stay_names_for_long_releases() -> None:
    manifests = rendered(DEFAULT, release="a" * 53)
    assert all(len(each["metadata"]["name"]) <= 63 for each in manifests)
    assert named(manifests, "Blueprint", "edb-hooks")


def test_bound_to_all_clusters_but_those_of_another_product() -> None:
    manifests = rendered(DEFAULT)
    bindings = of_kind(manifests, "BlueprintBinding")
    groups = []
    for binding in bindings:
        assert binding["metadata"]["namespace"] == "kasten-io"
        assert binding["spec"]["blueprintRef"] == {"name": "edb-hooks", "namespace": "kasten-io"}
        kind, foreign = binding["spec"]["resources"]["matchAll"]
        groups += [(each["group"], each["resource"]) for each in kind["type"]["values"]]
        assert foreign == {"labels": {"key": "icpdsupport/addOnId", "operator": "DoesNotExist"}}
    assert groups == [("postgresql.k8s.enterprisedb.io", "clusters"), ("postgresql.cnpg.io", "clusters")]
    assert not of_kind(rendered(DEFAULT, hooks__mode="policy"), "BlueprintBinding")


@pytest.mark.parametrize("mode", ["binding", "policy"])
def test_policies_are_wired_as_the_mode_needs(mode: str) -> None:
    entry = {"name": "edb", "namespace": "edb", "profile": "store"}
    [policy] = of_kind(rendered(DEFAULT, hooks__mode=mode, policies=[entry]), "Policy")
    backup, export = policy["spec"]["actions"]
    parameters = backup["backupParameters"]
    excluded = {"matchLabels": {"kasten-enterprisedb.io/excluded": "true"}}
    assert parameters["filters"] == {"excludeResources": [excluded]}
    hooks = {name: each["actionName"] for name, each in parameters["hooks"].items()}
    both = {"onFailure": "backupFailed"}
    actions = {"preHook": "backupPrehook", "onSuccess": "backupPosthook", **both}
    assert hooks == (actions if mode == "policy" else both)
    assert export["exportParameters"]["profile"]["name"] == "store"


def test_uninstall_stands_down_first_with_the_watchdogs_rights(manifests: list[Manifest]) -> None:
    [job] = [each for each in of_kind(manifests, "Job") if each["metadata"]["name"].endswith("stand-down")]
    assert job["metadata"]["annotations"]["helm.sh/hook"] == "pre-delete"
    assert job["spec"]["template"]["spec"]["serviceAccountName"] == "edb-kasten-watchdog"


def test_namespaced_scope_grants_nothing_elsewhere() -> None:
    manifests = rendered(CHART / "ci" / "namespaces-values.yaml")
    everywhere = {each["roleRef"]["name"] for each in of_kind(manifests, "ClusterRoleBinding")}
    assert everywhere == {"edb-kasten-classes"}
    places = {
        (each["metadata"]["namespace"], each["roleRef"]["name"]) for each in of_kind(manifests, "RoleBinding")
    }
    assert {place for place, _ in places} == {"shop", "billing"}
    [watchdog] = of_kind(manifests, "Deployment")
    options = parsed(app, watchdog["spec"]["template"]["spec"]["containers"][0]["command"][1:])
    assert options["namespace"] == ["shop", "billing"]


def test_verification_runs_in_its_namespace_and_may_not_read_secrets() -> None:
    manifests = rendered(CHART / "ci" / "namespaces-values.yaml")
    job, _ = (each for each in of_kind(manifests, "Job") if each["metadata"]["namespace"] == "shop")
    [cron] = of_kind(manifests, "CronJob")
    once = parsed(app, job["spec"]["template"]["spec"]["containers"][0]["command"][1:])
    assert (once["namespace"], once["cluster"], once["wait_replicas"]) == ("shop", ["orders", "stock"], True)
    assert cron["spec"]["concurrencyPolicy"] == "Forbid"
    pod = cron["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    daily = parsed(app, pod["containers"][0]["command"][1:])
    deep = (daily["depth"], daily["jobs"], daily["structure_timeout"], daily["install_amcheck"])
    assert deep == ("structure", 4, 7200, True)
    assert len([a for a in of_kind(manifests, "ServiceAccount") if a["metadata"]["namespace"] == "shop"]) == 1


def test_verification_of_content_mounts_what_its_client_shows(tmp_path: Path) -> None:
    manifests = rendered(CHART / "ci" / "namespaces-values.yaml")
    [job] = [each for each in of_kind(manifests, "Job") if "verify-orders-" in each["metadata"]["name"]]
    spec = job["spec"]["template"]["spec"]
    [container] = spec["containers"]
    options = parsed(app, words_of(container, tmp_path))
    assert (options["depth"], options["report"]) == ("content", tmp_path / "reports")
    volumes = {each["name"]: each for each in spec["volumes"]}
    assert {mount["name"] for mount in container["volumeMounts"]} == volumes.keys()
    secrets = [source["secret"] for source in volumes["credentials"]["projected"]["sources"]]
    paths = {
        item["path"]: secret["name"]
        for secret in secrets
        for item in secret["items"]
        if not secret.get("optional")
    }
    assert {item["key"] for each in secrets if each.get("optional") for item in each["items"]} >= {"uri"}
    assert paths == {
        "ca.crt": "orders-ca",
        "app/password": "orders-app",
        "app/tls.crt": "orders-client",
        "app/tls.key": "orders-client",
        "auditor/password": "orders-auditor",
    }
    assert volumes["private"]["emptyDir"]["medium"] == "Memory"


def test_no_values_fail_with_where_the_image_comes_from() -> None:
    with pytest.raises(HelmError, match="there is no public image of kanfunc yet"):
        rendered()


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"nonsense": 1}, "additional properties 'nonsense' not allowed"),
        ({"watchdog__onPrimaryLost": "never"}, "must be one of 'hold', 'release'"),
        ({"image__digest": "sha256:1"}, "/image/digest"),
        ({"timeouts__stop": 0}, "/timeouts/stop"),
        ({"timeouts__stop": "fast"}, "/timeouts/stop"),
        ({"flavours": []}, "/flavours"),
        ({"flavours": ["oracle"]}, "/flavours/0"),
        ({"policies": [{"name": "x"}]}, "missing property 'namespace'"),
        ({"verifications": [{"name": "x", "namespace": "NO"}]}, "/verifications/0/namespace"),
        (
            {"verifications": [{"name": "x", "namespace": "x", "depth": "content"}]},
            "missing property 'content'",
        ),
        ({"rbac__scope": "namespaces"}, "rbac.namespaces lists none"),
        ({"timeouts__stop": 1100}, "the limits of fence add up to 1520 s, which does not fit into"),
    ],
)
def test_wrong_values_are_refused_with_their_place(values: dict[str, Any], words: str) -> None:
    with pytest.raises(HelmError) as refused:
        rendered(DEFAULT, **values)
    assert words in str(refused.value)


def test_schema_knows_every_value_and_no_other() -> None:
    def compare(values: Any, schema: Any, path: str) -> None:
        if schema.get("type") != "object" or "properties" not in schema:
            return
        assert schema["additionalProperties"] is False, path
        assert values.keys() == schema["properties"].keys() - {"global", "claims"}, path
        for key, value in values.items():
            compare(value, schema["properties"][key], f"{path}.{key}")

    schema = json.loads((CHART / "values.schema.json").read_text())
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    for part in (values["hooks"], values["watchdog"]):
        part.pop("resources")
    for part in ("hooks", "watchdog"):
        schema["properties"][part]["properties"].pop("resources")
    compare(values, schema, "")


def test_notes_tell_what_is_wired_and_what_is_not(values: Path) -> None:
    notes = helm("install", "edb-kasten", str(CHART), "--dry-run=client", f"--values={values}").partition(
        "NOTES:"
    )[2]
    assert "Not wired, and yours to do" in notes
    is_off = yaml.safe_load(values.read_text()).get("watchdog", {}).get("enabled") is False
    assert ("THE WATCHDOG IS OFF" in notes) is is_off
    assert "helm test edb-kasten" in notes


def test_all_values_files_are_found() -> None:
    assert len(VALUES) >= 4
