"""Alerts, held to what they promise by Prometheus' own promtool; and what they ask for is what is served."""

import re
import shutil
import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.core import Metric

from kanfunc.domain.outcome import RestoreOutcome
from kanfunc.domain.record import State, Verdict
from kanfunc.domain.standing import Standing
from kanfunc.gateways.metrics import Metrics
from tests.builders import NOW, REF, proof, record
from tests.chart.helm import CHART, REPOSITORY, Manifest, of_kind, rendered
from tests.gateways.test_metrics import Still

DEFAULT, POLICY = (CHART / "ci" / f"{name}-values.yaml" for name in ("default", "policy"))
RUNBOOKS = REPOSITORY / "docs" / "runbooks"
DATABASE = {"namespace": "edb", "cluster": "pg"}
HOUR = 60


@cache
def rules() -> Manifest:
    [found] = of_kind(rendered(POLICY), "PrometheusRule")
    return found


def alerts() -> list[Manifest]:
    return [rule for group in rules()["spec"]["groups"] for rule in group["rules"]]


def promtool(*arguments: object) -> subprocess.CompletedProcess[str]:
    binary = shutil.which("promtool")
    if binary is None:
        pytest.skip("promtool is not there: Debian's package prometheus has it")
    return subprocess.run([binary, *map(str, arguments)], capture_output=True, text=True, check=False)


def series(name: str, values: str, **labels: str) -> Manifest:
    """One series, a value a minute, in promtool's notation: `_` is a gap, `1x60` repeats, `0+60x9` counts."""
    found = ",".join(f'{key}="{value}"' for key, value in {**DATABASE, **labels}.items())
    return {"series": f"{name}{{{found}}}", "values": values}


def fires(directory: Path, alert: str, given: list[Manifest], at: Mapping[int, int]) -> None:
    """`at`: minute -> how many alerts of that name there must be."""
    (directory / "rules.yaml").write_text(yaml.safe_dump(rules()["spec"]))
    samples = [{"expr": f'count(ALERTS{{alertname="{alert}",alertstate="firing"}}) or vector(0)',
                "eval_time": f"{minute}m", "exp_samples": [{"labels": "{}", "value": count}]}
               for minute, count in at.items()]  # fmt: skip
    test = {"interval": "1m", "input_series": given, "promql_expr_test": samples}
    file = directory / "test.yaml"
    file.write_text(yaml.safe_dump({"rule_files": ["rules.yaml"], "tests": [test]}))
    done = promtool("test", "rules", file)
    assert done.returncode == 0, done.stdout + done.stderr


FENCE = {"instance": "pg-2", "state": "sealed"}
CASES: dict[str, tuple[str, list[Manifest], dict[int, int]]] = {
    # time() begins at 0, so that a deadline of 3600 s is over after 60 minutes
    "fence past its deadline": (
        "KanfuncFencePastDeadline",
        [series("kanfunc_fence_deadline_timestamp_seconds", "3600x59 3600x60", **FENCE)],
        {60: 0, 64: 1},
    ),
    "fence that ended in time": (
        "KanfuncFencePastDeadline",
        [series("kanfunc_fence_deadline_timestamp_seconds", "3600x50 _x60", **FENCE)],
        {64: 0, 90: 0},
    ),
    "one alert though the watchdog's pod and the state change": (
        "KanfuncFencePastDeadline",
        [
            series("kanfunc_fence_deadline_timestamp_seconds", "60x6 _x20", pod="old", **FENCE),
            series("kanfunc_fence_deadline_timestamp_seconds", "_x5 60x20", pod="new", instance="pg-2",
                   state="ending"),
        ],
        {4: 1, 6: 1, 12: 1},
    ),
    "no proven backup in time": (
        "KanfuncNoProvenBackup",
        [
            series("kanfunc_protected_since_timestamp_seconds", "0x1800"),
            series("kanfunc_last_proven_backup_timestamp_seconds", "3600x1800"),
        ],
        {27 * HOUR: 0, 27 * HOUR + 10: 1},
    ),
    "never a backup": (
        "KanfuncNoProvenBackup",
        [series("kanfunc_protected_since_timestamp_seconds", "0x1800")],
        {26 * HOUR: 0, 26 * HOUR + 10: 1},
    ),
    "a backup makes it silent": (
        "KanfuncNoProvenBackup",
        [
            series("kanfunc_protected_since_timestamp_seconds", "0x1800"),
            series("kanfunc_last_proven_backup_timestamp_seconds", f"0x1579 {1580 * 60}x220"),
        ],
        {26 * HOUR + 10: 1, 1590: 0, 1790: 0},
    ),
    "a cluster that is protected no more": (
        "KanfuncNoProvenBackup",
        [series("kanfunc_last_proven_backup_timestamp_seconds", "0x1800")],
        {1700: 0},
    ),
    "restore not proven": (
        "KanfuncRestoreNotProven",
        [series("kanfunc_last_restore_proven", "_ 1x9 0x10 1x10")],
        {5: 0, 12: 1, 25: 0},
    ),
    "restore not verified": (
        "KanfuncRestoreNotVerified",
        [
            series("kanfunc_restore_unverified", "1x80 0x20"),
            series("kanfunc_last_verified_restore_timestamp_seconds", "0x100"),
        ],
        {59: 0, 70: 1, 90: 0},
    ),
    "no restore verified for too long": (
        "KanfuncRestoreNotVerified",
        [series("kanfunc_last_verified_restore_timestamp_seconds", "0x10 _x3000")],
        {48 * HOUR - 10: 0, 50 * HOUR: 1},
    ),
    "instance not streaming": (
        "KanfuncInstanceNotStreaming",
        [series("kanfunc_instance_not_streaming", "1x15 0x10")],
        {9: 0, 12: 1, 20: 0},
    ),
    "primary lost": (
        "KanfuncPrimaryLostWhileFenced",
        [series("kanfunc_primary_lost_while_fenced", "0x4 1x5 0x5")],
        {3: 0, 6: 1, 12: 0},
    ),
    "look failing": ("KanfuncLookFailing", [series("kanfunc_look_failing", "1x30")], {10: 0, 20: 1}),
    "watchdog down": (
        "KanfuncWatchdogDown",
        [series("kanfunc_build", "1x10 _x30", version="1")],
        {10: 0, 30: 1},
    ),
    "watchdog replaced": (
        "KanfuncWatchdogDown",
        [series("kanfunc_build", "1x10 _x30", pod="a"), series("kanfunc_build", "_x12 1x30", pod="b")],
        {12: 0, 20: 0, 30: 0},
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_alert(case: str, tmp_path: Path) -> None:
    fires(tmp_path, *CASES[case])


def test_every_alert_is_tested() -> None:
    assert {rule["alert"] for rule in alerts()} == {alert for alert, _, _ in CASES.values()}


def test_alarm_says_how_many_bytes_are_at_stake(tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(rules()["spec"]))
    [rule] = [each for each in alerts() if each["alert"] == "KanfuncPrimaryLostWhileFenced"]
    annotations = {
        "summary": "nobody leads edb/pg while an instance is fenced: lifting the fence may lose commits",
        "runbook_url": rule["annotations"]["runbook_url"],
    }
    for stake, told in (
        ("_x9", "nobody saw how much WAL is at stake"),
        ("2048x9", "2kiB of WAL are at stake"),
    ):
        given = [series("kanfunc_primary_lost_while_fenced", "1x9"), series("kanfunc_bytes_at_stake", stake)]
        expected = {"exp_labels": {**DATABASE, "severity": "critical"},
                    "exp_annotations": {**annotations, "description": told}}  # fmt: skip
        asked = {"eval_time": "5m", "alertname": rule["alert"], "exp_alerts": [expected]}
        test = {"interval": "1m", "input_series": given, "alert_rule_test": [asked]}
        file = tmp_path / "test.yaml"
        file.write_text(yaml.safe_dump({"rule_files": ["rules.yaml"], "tests": [test]}))
        done = promtool("test", "rules", file)
        assert done.returncode == 0, done.stdout + done.stderr


def served() -> set[str]:
    """Names of what the watchdog serves at all."""
    held = record(state=State.ENDED, verdict=Verdict.HELD, sealed=NOW, fenced=NOW, ended=NOW,
                  proof=proof(replay_seconds=1.0))  # fmt: skip
    outcome = RestoreOutcome(cluster_uid="uid", proven=True, checked=NOW)
    full = Standing(
        REF,
        record=held,
        restore=outcome,
        protected_since=NOW,
        return_seconds=1,
        elected="pg-2",
        bytes_at_stake=1,
    )
    watchdog = Still(standings=[full, Standing(REF, record=record(state=State.SEALED))])
    families: list[Metric] = list(Metrics(watchdog).collect())
    assert all(family.samples for family in families)
    return {sample.name for family in families for sample in family.samples}


def test_alerts_ask_for_what_is_served_and_the_readme_lists_it() -> None:
    asked = {name for rule in alerts() for name in re.findall(r"kanfunc_\w+", str(rule))}
    assert asked <= served()
    readme = (REPOSITORY / "README.md").read_text()
    assert {name for name in served() if f"`{name}" not in readme} == set()


def test_every_alert_has_its_runbook_and_every_runbook_its_alert() -> None:
    assert {f"{rule['alert']}.md" for rule in alerts()} == {page.name for page in RUNBOOKS.glob("*.md")}
    for rule in alerts():
        assert rule["annotations"]["runbook_url"] == f"https://wiki.example/kanfunc/{rule['alert']}.md"
        assert rule["labels"]["severity"] in {"critical", "warning"}
    page = of_kind(rendered(CHART / "ci" / "edb-only-values.yaml"), "PrometheusRule")[0]
    assert "docs/runbooks/KanfuncWatchdogDown.md" in str(page)


@pytest.mark.parametrize("page", sorted(RUNBOOKS.glob("*.md")), ids=lambda page: page.stem)
def test_runbook_says_what_it_means_what_to_look_at_and_what_to_do(page: Path) -> None:
    text = page.read_text()
    assert text.startswith(f"# {page.stem}\n")
    assert [line for line in text.splitlines() if line.startswith("## ")] == ["## Means", "## Look", "## Do"]


def test_monitoring_is_off_unless_it_is_asked_for() -> None:
    kinds: set[Any] = {each["kind"] for each in rendered(DEFAULT)}
    assert not kinds & {"PodMonitor", "PrometheusRule"}


def test_pod_monitor_finds_the_watchdog_and_keeps_our_labels() -> None:
    manifests = rendered(POLICY)
    [monitor], [watchdog] = of_kind(manifests, "PodMonitor"), of_kind(manifests, "Deployment")
    wanted = monitor["spec"]["selector"]["matchLabels"]
    assert wanted.items() <= watchdog["spec"]["template"]["metadata"]["labels"].items()
    [endpoint] = monitor["spec"]["podMetricsEndpoints"]
    [container] = watchdog["spec"]["template"]["spec"]["containers"]
    assert endpoint["port"] in {port["name"] for port in container["ports"]}
    assert endpoint["honorLabels"] is True
    assert monitor["metadata"]["labels"]["release"] == "prometheus"
