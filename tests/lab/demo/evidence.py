"""What the demo looks at: runs of the product, and the cluster with eyes other than the product's."""

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tests.lab.apiserver import CONFIGMAPS, VOLUME_SNAPSHOTS
from tests.lab.kasten import Action, RestorePoint, State
from tests.lab.lab import Completed, Lab
from tests.lab.postgres import Server
from tests.lab.workspace import LabError

PHASE_OUTPUT = "###Phase-output###: "
PSQL_SECONDS = 20.0


@dataclass(frozen=True)
class Run:
    """A run of kanfunc, as a hook's caller sees it: exit code, log lines (JSON) and phase outputs."""

    exit_code: int
    log: Sequence[Mapping[str, Any]]
    outputs: Mapping[str, str]

    @classmethod
    def of(cls, completed: Completed) -> "Run":
        """Read what a process has printed."""
        lines = [
            line.removeprefix(PHASE_OUTPUT)
            for line in completed.stdout.splitlines()
            if line.startswith(PHASE_OUTPUT)
        ]
        outputs = {each["key"]: each["value"] for each in map(json.loads, lines)}
        return cls(
            completed.returncode, [json.loads(line) for line in completed.stderr.splitlines()], outputs
        )

    def step(self, name: str) -> Mapping[str, Any]:
        """The log line of a step. KeyError where the run never came to it."""
        for line in self.log:
            if line["step"] == name:
                return line
        raise KeyError(name)

    def at(self, name: str) -> datetime:
        """When the run came to a step."""
        return datetime.fromisoformat(self.step(name)["time"])

    @property
    def words(self) -> str:
        """Why it failed, in its own words; empty where it did not."""
        return "; ".join(str(line.get("found")) for line in self.log if line["level"] == "error")

    @property
    def report(self) -> Mapping[str, Any]:
        """The report of `verify-restore`. KeyError where the run never came to a verdict."""
        found: Mapping[str, Any] = json.loads(self.outputs["report"])
        return found

    @property
    def findings(self) -> Mapping[str, Mapping[str, Any]]:
        """The report's findings by the name of the check; empty where there is no report."""
        return {each["check"]: each for each in self.report["findings"]} if "report" in self.outputs else {}

    @property
    def failed_checks(self) -> Sequence[str]:
        """Names of the checks that were not passed."""
        return [check for check, finding in self.findings.items() if finding["status"] != "passed"]


def _log_line(text: str) -> Mapping[str, Any]:
    try:
        return dict(json.loads(text))
    except ValueError:  # a traceback: its lines speak for themselves
        return {"step": "", "level": "error", "found": text}


def psql(dsn: str, lab: Lab, *statements: str) -> str:
    """What psql shows the application; LabError, with its words, where a statement failed."""
    commands = [word for statement in statements for word in ("--command", statement)]
    program = str(lab.binaries.directory / "psql")
    done = subprocess.run(
        [program, "--no-psqlrc", "--pset=footer=off", "--set=ON_ERROR_STOP=1", "--dbname", dsn, *commands],
        env=lab.environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=PSQL_SECONDS,
    )
    if done.returncode:
        raise LabError(f"psql: {done.stderr.strip()}")
    return done.stdout.rstrip()


def system_identifier(server: Server) -> str:
    """Identifier that initdb gave this database system, once and for all."""
    return server.controldata()["Database system identifier"]


def switch_point(server: Server, timeline: int) -> str:
    """Where the history of the server's volume says that the timeline before `timeline` ended."""
    history = (server.pgdata / "pg_wal" / f"{timeline:08X}.history").read_text()
    return history.splitlines()[-1].split()[1]


def streaming(lab: Lab, namespace: str, cluster: str) -> Sequence[str]:
    """Names of the instances that stream from the primary."""
    rows = lab.primary(namespace, cluster).sql(
        "SELECT application_name FROM pg_stat_replication WHERE state = 'streaming' ORDER BY 1"
    )
    return [name for (name,) in rows]


def snapshotted(lab: Lab, namespace: str) -> Sequence[str]:
    """Names of the claims of which the namespace has a VolumeSnapshot that can be restored."""
    snapshots = lab.store.list(VOLUME_SNAPSHOTS, namespace)
    return [
        each["spec"]["source"]["persistentVolumeClaimName"]
        for each in snapshots
        if each["status"]["readyToUse"]
    ]


def health(lab: Lab, namespace: str, cluster: str) -> str:
    """What a dashboard shows of a cluster."""
    status = lab.cluster(namespace, cluster)["status"]
    return f"{status['phase']}, {status['readyInstances']} of {status['instances']} ready"


def let_the_second_pass(lab: Lab, namespace: str) -> None:
    """Wait until the API server stamps a later second than now: it knows no fractions."""

    def stamp() -> str:
        probe = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "clock", "namespace": namespace},
        }
        created = lab.store.create(CONFIGMAPS, probe, dry_run=True)
        return str(created["metadata"]["creationTimestamp"])

    now = stamp()
    lab.wait_for("the API server's clock to advance", lambda: stamp() > now)


def completed(action: Action) -> Action:
    """The action itself; LabError where Kasten's stand-in failed, which is no finding of ours."""
    if action.state is not State.COMPLETE:
        raise LabError(f"the stand-in for Kasten failed: {action.error}")
    return action


def restore_point_of(action: Action) -> RestorePoint:
    """Restore point of a backup that is complete. LabError where it is not."""
    point = completed(action).restore_point
    assert point is not None, "a complete backup has one"
    return point
