"""An application's namespace with its Cluster and its client, as the walk-through has it."""

import json
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import yaml

from tests.cluster.kasten.hooks import Kanister
from tests.cluster.kasten.volumes import CsiVolumes
from tests.cluster.node.build import POSTGRES
from tests.cluster.node.client import apply, kubectl
from tests.cluster.node.places import BIN, KUBECONFIG
from tests.cluster.node.processes import eventually, run
from tests.cluster.objects import RealObjects
from tests.lab.apiserver import CNPG_CLUSTERS, PODS, PVCS, VOLUME_SNAPSHOTS, Manifest
from tests.lab.kasten import Action, Blueprint, Policy, RestorePoint
from tests.lab.kasten.backup import Backup
from tests.lab.kasten.restore import Restore
from tests.lab.operator.decisions import annotations, labels
from tests.lab.operator.decorations import EXCLUDED, HAS_HOOKS

EXAMPLES = Path(__file__).parents[2] / "examples"
NAME, CLIENT = "cluster-example", "deployment/cert-test"
RECORD = "kanfunc.io/fence"
START_SECONDS = 300.0


@dataclass(frozen=True)
class Commits:
    """What a client saw acknowledged, and the longest time in seconds that it waited for the next one."""

    numbers: tuple[int, ...]
    longest_gap: float


@dataclass(frozen=True)
class Application:
    """The Cluster `cluster-example` in a namespace of its own, where only restricted pods may run."""

    objects: RealObjects
    namespace: str

    @property
    def kanister(self) -> Kanister:
        """Runs the chart's blueprint."""
        return Kanister(self.objects)

    # ---- what a person does

    def create(self) -> None:
        """Namespace, Cluster and client; returns when all instances are ready and one is elected."""
        self.create_namespace()
        cluster = yaml.safe_load((EXAMPLES / "cluster-cloudnative-pg.yaml").read_text())
        cluster["metadata"]["namespace"] = self.namespace
        cluster["spec"] |= {"imageName": POSTGRES, "imagePullPolicy": "Never"}
        # clients that stay connected may hold a primary, and its namespace, for three minutes otherwise
        cluster["spec"]["smartShutdownTimeout"] = 5
        cluster["spec"]["postgresql"]["parameters"] = {"fsync": "off", "shared_buffers": "32MB"}
        apply(cluster)
        self.await_ready()
        self.create_client()
        eventually("an instance to be elected", lambda: self.elected)

    def create_namespace(self) -> None:
        enforced = {"pod-security.kubernetes.io/enforce": "restricted"}
        apply(
            {
                "apiVersion": "v1",
                "kind": "Namespace",
                "metadata": {"name": self.namespace, "labels": enforced},
            }
        )

    def create_client(self) -> None:
        """The walk-through's, with a certificate made by the operator's own plugin."""
        made = ["cluster-app", "--cnpg-cluster", NAME, "--cnpg-user", "app", "--namespace", self.namespace]
        run(BIN / "kubectl-cnpg", "--kubeconfig", KUBECONFIG, "certificate", *made)
        self.start_client()

    def start_client(self) -> None:
        text = (EXAMPLES / "client.yaml").read_text().replace("POSTGRESQL_CLIENT_IMAGE", POSTGRES)
        kubectl("apply", "--namespace", self.namespace, "-f", "-", stdin=text)
        kubectl("rollout", "status", CLIENT, "--namespace", self.namespace, "--timeout=60s")

    def psql(self, statement: str) -> str:
        """As the client does: by certificate, verifying the server."""
        command = ["sh", "-c", 'exec psql "$DATABASE_URL" -XAtq -c "$0"', statement]
        return kubectl("exec", "--namespace", self.namespace, CLIENT, "--", *command).strip()

    @contextmanager
    def writing(self) -> Iterator[list[Commits]]:
        """The client commits one row after the other; what it saw is there in the end."""
        self.psql("CREATE TABLE IF NOT EXISTS ticks (number bigint PRIMARY KEY)")
        script = """\
rm -f /tmp/stop; n=$(psql "$DATABASE_URL" -XAtqc 'SELECT coalesce(max(number), 0) FROM ticks')
until [ -e /tmp/stop ]; do
  n=$((n + 1))
  psql "$DATABASE_URL" -XAtqc "INSERT INTO ticks VALUES ($n)" && echo "$EPOCHREALTIME $n"
done"""
        where = ["--namespace", self.namespace, CLIENT]
        command = [str(BIN / "kubectl"), f"--kubeconfig={KUBECONFIG}", "exec", *where]
        seen: list[Commits] = []
        with tempfile.TemporaryFile("w+") as output:
            writer = subprocess.Popen([*command, "--", "bash", "-c", script], stdout=output)
            try:
                yield seen
            finally:
                kubectl("exec", *where, "--", "touch", "/tmp/stop")  # noqa: S108 - in the client's pod
                writer.wait(60)
            output.seek(0)
            lines = [line.split() for line in output]
        times = [float(time) for time, _ in lines]
        gaps = [after - before for before, after in pairwise(times)]
        seen.append(Commits(tuple(int(number) for _, number in lines), max(gaps)))

    def delete_namespace(self) -> None:
        kubectl("delete", "namespace", self.namespace, "--wait", "--timeout=180s", "--ignore-not-found")

    # ---- what Kasten does

    def back_up(self) -> Action:
        """A policy's run, bound to the Cluster."""
        bound = self.kanister.bound_hook
        policy = Policy(
            self.namespace,
            on_failure=self.kanister.action_hook("backupFailed"),
            blueprint=Blueprint(bound("backupPrehook"), bound("backupPosthook")),
        )
        return Backup(self.objects, CsiVolumes(self.objects), policy).run()

    def restore(self, source: RestorePoint, *, drop_pvc_annotations: bool = False) -> Action:
        """Into the namespace, which must be gone."""
        volumes = CsiVolumes(self.objects)
        restore = Restore(self.objects, volumes, source, drop_pvc_annotations=drop_pvc_annotations)
        return restore.run(self.namespace, None, self.kanister.bound_hook("restorePosthook"))

    # ---- the state of the world

    @property
    def cluster(self) -> Manifest:
        return self.objects.get(CNPG_CLUSTERS, self.namespace, NAME)

    @property
    def record(self) -> Manifest:
        found: Manifest = json.loads(annotations(self.cluster).get(RECORD, "{}"))
        return found

    @property
    def fenced(self) -> list[str]:
        found: list[str] = json.loads(annotations(self.cluster).get("cnpg.io/fencedInstances") or "[]")
        return found

    @property
    def elected(self) -> str | None:
        found = self.objects.list(PODS, self.namespace, labels=f"{HAS_HOOKS}=true")
        return found[0]["metadata"]["name"] if found else None

    @property
    def primary(self) -> str:
        found: str = self.cluster["status"]["currentPrimary"]
        return found

    def instances(self) -> list[str]:
        found = self.objects.list(
            PODS, self.namespace, labels=f"cnpg.io/cluster={NAME},cnpg.io/podRole=instance"
        )
        return sorted(each["metadata"]["name"] for each in found)

    def included(self) -> set[str]:
        """Claims that the policy's filter leaves."""
        claims = self.objects.list(PVCS, self.namespace)
        return {claim["metadata"]["name"] for claim in claims if labels(claim).get(EXCLUDED) != "true"}

    def snapshotted(self) -> set[str]:
        found = self.objects.list(VOLUME_SNAPSHOTS, self.namespace)
        sources = [snapshot["spec"]["source"] for snapshot in found]
        return {
            source["persistentVolumeClaimName"] for source in sources if "persistentVolumeClaimName" in source
        }

    def postgres(self, instance: str, *command: str) -> str:
        """A command in an instance's container."""
        where = ["--namespace", self.namespace, "--container", "postgres", instance]
        return kubectl("exec", *where, "--", *command)

    def streaming(self, instance: str) -> bool:
        query = "SELECT application_name FROM pg_stat_replication WHERE state = 'streaming'"
        return instance in self.postgres(self.primary, "psql", "-XAtqc", query).split()

    def system_identifier(self) -> str:
        query = "SELECT system_identifier FROM pg_control_system()"
        return self.postgres(self.primary, "psql", "-XAtqc", query).strip()

    def await_ready(self) -> None:
        """Until all instances are."""

        def ready(cluster: Manifest) -> bool:
            status = cluster.get("status") or {}
            return bool(status.get("readyInstances") == cluster["spec"]["instances"])

        self.objects.await_object(CNPG_CLUSTERS, self.namespace, NAME, ready, START_SECONDS)
