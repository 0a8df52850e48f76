"""An application's namespace with its Cluster and its client, as the walk-through has it."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.cluster.kasten.hooks import Kanister
from tests.cluster.kasten.runner import Kasten
from tests.cluster.kasten.volumes import CsiVolumes
from tests.cluster.node.build import POSTGRES
from tests.cluster.node.client import apply, certificate, kubectl
from tests.cluster.node.processes import eventually
from tests.cluster.objects import RealObjects
from tests.lab.apiserver import PODS, PVCS, VOLUME_SNAPSHOTS, Manifest
from tests.lab.kasten import HookResult
from tests.lab.operator.decisions import annotations, labels
from tests.lab.operator.decorations import EXCLUDED, HAS_HOOKS
from tests.lab.operator.names import EDB, Dialect

EXAMPLES = Path(__file__).parents[2] / "examples"
NAME, CLIENT = "cluster-example", "deployment/cert-test"
RECORD = "kanfunc.io/fence"
START_SECONDS = 300.0
RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted"}


def record_of(cluster: Manifest) -> Manifest:
    """Our record as it stands; {} where there is none."""
    found: Manifest = json.loads(annotations(cluster).get(RECORD, "{}"))
    return found


@dataclass(frozen=True)
class Application:
    """The Cluster `cluster-example` in a namespace of its own, where only restricted pods may run.

    `mode` is how Kasten calls the hooks: the chart's `hooks.mode`.
    """

    kasten: Kasten
    namespace: str
    dialect: Dialect
    mode: str

    @property
    def objects(self) -> RealObjects:
        return self.kasten.objects

    # ---- what a person does

    def create(self, instances: int = 3, **spec: Any) -> None:
        """Namespace, Cluster and client; returns when all instances are ready and one is elected."""
        self.create_namespace()
        example = "cluster-example" if self.dialect is EDB else "cluster-cloudnative-pg"
        cluster = yaml.safe_load((EXAMPLES / f"{example}.yaml").read_text())
        cluster["metadata"]["namespace"] = self.namespace
        cluster["spec"] |= {"instances": instances, "imageName": POSTGRES, "imagePullPolicy": "Never"}
        # clients that stay connected may hold a primary, and its namespace, for three minutes otherwise; and
        # Kubernetes looks again at a namespace that goes when half of its pods' grace period is over
        cluster["spec"] |= {"smartShutdownTimeout": 5, "stopDelay": 20}
        cluster["spec"] |= {"walStorage": {"size": "1Gi"}, **spec}
        cluster["spec"]["postgresql"]["parameters"] = {"fsync": "off", "shared_buffers": "32MB"}
        apply(cluster)
        self.await_ready()
        self.create_client()
        eventually("an instance to be elected", lambda: self.elected)

    def create_namespace(self) -> None:
        metadata = {"name": self.namespace, "labels": RESTRICTED}
        apply({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})

    def create_client(self) -> None:
        """The walk-through's, with a certificate made by the operator's own plugin."""
        certificate("cluster-app", self.namespace, NAME, "app")
        text = (EXAMPLES / "client.yaml").read_text().replace("POSTGRESQL_CLIENT_IMAGE", POSTGRES)
        kubectl("apply", "--namespace", self.namespace, "-f", "-", stdin=text)
        self.await_client()

    def await_client(self) -> None:
        kubectl("rollout", "status", CLIENT, "--namespace", self.namespace, "--timeout=60s")

    def psql(self, statement: str) -> str:
        """As the client does: by certificate, verifying the server."""
        command = ["sh", "-c", 'exec psql "$DATABASE_URL" -XAtq -c "$0"', statement]
        return kubectl("exec", "--namespace", self.namespace, CLIENT, "--", *command).strip()

    def scale(self, instances: int) -> None:
        """Returns when there are so many; fenced ones are not ready."""
        metadata = self.cluster["metadata"]
        change = {"spec": {"instances": instances}}
        self.objects.patch(self.dialect.clusters, metadata["namespace"], metadata["name"], change)
        eventually(f"{instances} instances", lambda: len(self.instances()) == instances, START_SECONDS)

    def delete_namespace(self) -> None:
        kubectl("delete", "namespace", self.namespace, "--wait", "--timeout=180s", "--ignore-not-found")

    # ---- what Kasten does

    def back_up(self) -> Manifest:
        """A run of the example policy, as it ended."""
        policy = yaml.safe_load((EXAMPLES / f"policy-{self.mode}.yaml").read_text())
        policy["spec"]["selector"]["matchExpressions"][0]["values"] = [self.namespace]
        apply(policy)
        return self.kasten.run(policy["metadata"]["name"])

    def restore(self, content: str) -> Manifest:
        """The example RestoreAction, as it ended, into the namespace, which must be gone."""
        self.create_namespace()
        point = self.kasten.bind(content, self.namespace)
        action = yaml.safe_load((EXAMPLES / "restore.yaml").read_text())
        action["metadata"]["namespace"] = action["spec"]["targetNamespace"] = self.namespace
        action["spec"]["subject"] |= point
        if self.mode == "binding":
            del action["spec"]["hooks"]
        return self.kasten.restore(action)

    def hook(self, action: str) -> HookResult:
        """An action of the chart's blueprint, bound to the Cluster."""
        return Kanister(self.objects).bound_hook(action)(self.cluster, {})

    def fence(self) -> None:
        """Its hook, which must be proven."""
        done = self.hook("backupPrehook")
        assert done.exit_code == 0, done.output
        assert self.record["state"] == "sealed"

    def snapshot(self) -> None:
        """All claims that the policy's filter leaves."""
        for claim in self.objects.list(PVCS, self.namespace):
            if claim["metadata"]["name"] in self.included():
                CsiVolumes(self.objects).snapshot(claim)

    def unfence(self) -> HookResult:
        return self.hook("backupPosthook")

    # ---- the state of the world

    @property
    def cluster(self) -> Manifest:
        return self.objects.get(self.dialect.clusters, self.namespace, NAME)

    @property
    def record(self) -> Manifest:
        return record_of(self.cluster)

    @property
    def fenced(self) -> list[str]:
        found: list[str] = json.loads(annotations(self.cluster).get(self.dialect.fenced_instances) or "[]")
        return found

    @property
    def elected(self) -> str:
        """Name of the elected instance; empty where there is none."""
        found = self.objects.list(PODS, self.namespace, labels=f"{HAS_HOOKS}=true")
        return str(found[0]["metadata"]["name"]) if found else ""

    @property
    def primary(self) -> str:
        found: str = self.cluster["status"]["currentPrimary"]
        return found

    def instances(self) -> list[str]:
        selector = f"cnpg.io/cluster={NAME},cnpg.io/podRole=instance"
        return sorted(each["metadata"]["name"] for each in self.objects.list(PODS, self.namespace, selector))

    def volumes(self, instance: str) -> set[str]:
        """Claims of an instance."""
        selector = f"{self.dialect.instance_name}={instance}"
        return {each["metadata"]["name"] for each in self.objects.list(PVCS, self.namespace, selector)}

    def included(self) -> set[str]:
        """Claims that the policy's filter leaves."""
        claims = self.objects.list(PVCS, self.namespace)
        return {claim["metadata"]["name"] for claim in claims if labels(claim).get(EXCLUDED) != "true"}

    def snapshotted(self) -> list[str]:
        """Claims that there are snapshots of, sorted."""
        found = self.objects.list(VOLUME_SNAPSHOTS, self.namespace)
        sources = [snapshot["spec"]["source"].get("persistentVolumeClaimName") for snapshot in found]
        return sorted(filter(None, sources))

    def postgres(self, instance: str, *command: str) -> str:
        """A command in an instance's container."""
        where = ["--namespace", self.namespace, "--container", "postgres", instance]
        return kubectl("exec", *where, "--", *command)

    def query(self, instance: str, statement: str) -> str:
        """As the superuser, inside the pod."""
        return self.postgres(instance, "psql", "-XAtqc", statement).strip()

    def streaming(self, instance: str) -> bool:
        statement = "SELECT application_name FROM pg_stat_replication WHERE state = 'streaming'"
        return instance in self.query(self.primary, statement).split()

    def system_identifier(self) -> str:
        return self.query(self.primary, "SELECT system_identifier FROM pg_control_system()")

    def await_ready(self) -> None:
        """Until all instances are."""

        def ready(cluster: Manifest) -> bool:
            status = cluster.get("status") or {}
            return bool(status.get("readyInstances") == cluster["spec"]["instances"])

        self.await_cluster(ready)

    def await_cluster(self, condition: Callable[[Manifest], bool]) -> None:
        self.objects.await_object(self.dialect.clusters, self.namespace, NAME, condition, START_SECONDS)

    def await_record(self, *states: str) -> None:
        self.await_cluster(lambda cluster: record_of(cluster).get("state") in states)
