"""What a failed test leaves for whoever reads it: logs, events and manifests, in one folder."""

import shutil
import subprocess
from contextlib import suppress
from pathlib import Path

from tests.cluster.node.client import kubectl
from tests.cluster.node.places import CACHE, LOGS

FAILURES = CACHE / "failures"
_KINDS = (
    "pods,persistentvolumeclaims,configmaps,jobs,deployments,clusters.postgresql.cnpg.io,volumesnapshots,"
    "volumesnapshotcontents,actionsets,blueprints"
)
"""Never Secrets."""


def keep(name: str) -> Path:
    """Write down the state of the cluster; the folder."""
    folder = FAILURES / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    _write(folder / "events.txt", "get", "events", "--all-namespaces", "--sort-by=.lastTimestamp")
    for kind in _KINDS.split(","):
        _write(folder / f"{kind.partition('.')[0]}.yaml", "get", kind, "--all-namespaces", "-o", "yaml")
    pods = folder / "pods"
    pods.mkdir()
    listed = 'jsonpath={range .items[*]}{.metadata.namespace}{" "}{.metadata.name}{"\\n"}{end}'
    for line in kubectl("get", "pods", "--all-namespaces", "-o", listed).splitlines():
        namespace, pod = line.split()
        _write(pods / f"{namespace}.{pod}.log", "logs", "--namespace", namespace, pod, "--all-containers")
    if LOGS.exists():
        shutil.copytree(LOGS, folder / "node", ignore=shutil.ignore_patterns("audit*"))
    return folder


def _write(file: Path, *command: str) -> None:
    with suppress(subprocess.CalledProcessError):  # a kind that is not installed, a pod that has gone
        file.write_text(kubectl(*command))
