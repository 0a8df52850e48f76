"""A cluster under protection, and what tests ask and do about it: the state of the world, not calls."""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tests.lab.apiserver import EVENTS, NAMESPACES, PODS, PVCS, VOLUME_SNAPSHOTS
from tests.lab.kasten import Action, Hook, HookResult, Policy, RestorePoint
from tests.lab.kasten.transforms import EXAMPLE, Transform
from tests.lab.lab import Completed, Lab
from tests.lab.operator.names import EDB, Dialect

RECORD = "kanfunc.io/fence"
ELECTED = "cluster-example-2"
PRIMARY = "cluster-example-1"
OTHER = "cluster-example-3"

Manifest = dict[str, Any]


@dataclass(frozen=True)
class Protected:
    """One Cluster of the lab, in a namespace of its own."""

    lab: Lab
    namespace: str
    name: str = "cluster-example"
    dialect: Dialect = EDB

    def kanfunc(self, verb: str, *options: str) -> Completed:
        return self.lab.kanfunc(verb, "--namespace", self.namespace, *options, timeout=90)

    def fence(self, *options: str) -> Completed:
        return self.kanfunc("fence", *options)

    def unfence(self, *options: str, outcome: str = "success") -> Completed:
        return self.kanfunc("unfence", "--outcome", outcome, *options)

    def verify(self, *options: str) -> Completed:
        """The lab's processes and its API server share one clock."""
        return self.kanfunc("verify-restore", "--clock-tolerance", "0", *options)

    @property
    def manifest(self) -> Manifest:
        return self.lab.cluster(self.namespace, self.name)

    @property
    def annotations(self) -> dict[str, str]:
        found: dict[str, str] = self.manifest["metadata"].get("annotations", {})
        return found

    @property
    def record(self) -> Manifest:
        """Our record as it stands; {} where there is none."""
        found: Manifest = json.loads(self.annotations.get(RECORD, "{}"))
        return found

    @property
    def fenced(self) -> list[str]:
        found: list[str] = json.loads(self.annotations.get(self.dialect.fenced_instances, "[]"))
        return found

    def expire(self) -> None:
        """Let the deadline of the standing fence be over, however long it took to be placed."""
        record = self.record
        self.annotate(RECORD, json.dumps(record | {"deadline": record["started"]}))

    def annotate(self, key: str, value: str | None) -> None:
        def edit(manifest: Manifest) -> None:
            annotations = manifest["metadata"].setdefault("annotations", {})
            annotations.pop(key, None)
            if value is not None:
                annotations[key] = value

        self.lab.store.update(self.dialect.clusters, self.namespace, self.name, edit)

    def set_fenced(self, *instances: str) -> None:
        self.annotate(self.dialect.fenced_instances, json.dumps(list(instances)) if instances else None)

    def label_pod(self, pod: str, key: str, value: str | None) -> None:
        self.lab.store.update(PODS, self.namespace, pod, _labelling(key, value))

    def label_volume(self, claim: str, key: str, value: str | None) -> None:
        self.lab.store.update(PVCS, self.namespace, claim, _labelling(key, value))

    def running(self, instance: str = ELECTED) -> bool:
        return self.lab.server(self.namespace, instance).running

    def await_running(self, instance: str = ELECTED, *, running: bool = True) -> None:
        self.lab.wait_for(
            f"{instance} {'runs' if running else 'stands'}", lambda: self.running(instance) is running
        )

    def await_elected(self, instance: str) -> None:
        self.lab.wait_for(
            f"{instance} to be elected",
            lambda: self.annotations.get(self.dialect.backup_instance) == instance,
        )

    def await_healthy(self) -> None:
        self.lab.wait_until_healthy(self.namespace, self.name)

    def await_next_second(self) -> None:
        """Creation timestamps are whole seconds; what happened in the same second cannot be told apart."""
        until = int(time.time()) + 1
        self.lab.wait_for("the API server's next second", lambda: time.time() > until)

    def marks(self, instance: str = ELECTED) -> list[str]:
        """Ids of the marks on that instance's volumes."""
        server = self.lab.server(self.namespace, instance)
        roots = [server.volume, server.wal_volume, *server.tablespaces.values()]
        files = [root / "kanfunc-mark.json" for root in roots if root]
        return [json.loads(file.read_text())["id"] for file in files if file.exists()]

    def events(self) -> list[str]:
        return [event["reason"] for event in self.lab.store.list(EVENTS, self.namespace)]

    def hook(self, verb: str, *options: str) -> Hook:
        """The product as Kasten's action hook runs it."""

        def run(namespace: str) -> HookResult:
            done = self.lab.kanfunc(verb, "--namespace", namespace, *options, timeout=90)
            return HookResult(done.returncode, done.stdout + done.stderr)

        return run

    def back_up(self, **options: Any) -> Action:
        """A policy run that is wired as the README says; `options` are further ones of the policy."""
        policy = Policy(
            self.namespace,
            pre_hook=self.hook("fence"),
            on_success=self.hook("unfence", "--outcome", "success"),
            on_failure=self.hook("unfence", "--outcome", "failure"),
            **options,
        )
        return self.lab.kasten.run(policy)

    def proven_export(self, **options: Any) -> RestorePoint:
        """A restore point that was proven cold, in a place that survives the namespace."""
        action = self.back_up(**options)
        assert action.restore_point is not None, action.error
        return self.lab.kasten.export(action.restore_point)

    def hot_export(self) -> RestorePoint:
        """A restore point of a policy whose hooks are not wired: complete, and worth nothing."""
        action = self.lab.kasten.run(Policy(self.namespace))
        assert action.restore_point is not None, action.error
        return self.lab.kasten.export(action.restore_point)

    def restored(
        self,
        source: RestorePoint,
        *,
        transforms: Sequence[Transform] = EXAMPLE,
        drop_pvc_annotations: bool = False,
    ) -> "Protected":
        """The cluster after its namespace was lost and restored, with the transforms of the example."""
        self.delete_namespace()
        action = self.lab.kasten.restore(
            source, self.namespace, transforms=transforms, drop_pvc_annotations=drop_pvc_annotations
        )
        assert not action.error
        return self

    def copied(self, source: RestorePoint, transforms: Sequence[Transform] = EXAMPLE) -> "Protected":
        """A copy in a namespace of its own, while this cluster lives."""
        copy = replace(self, namespace=f"{self.namespace}-copy")
        action = self.lab.kasten.restore(source, copy.namespace, transforms=transforms)
        assert not action.error
        return copy

    def delete_namespace(self) -> None:
        self.lab.store.delete(NAMESPACES, "", self.namespace)

    def snapshots(self) -> list[Manifest]:
        return self.lab.store.list(VOLUME_SNAPSHOTS, self.namespace)


def _labelling(key: str, value: str | None) -> Callable[[Manifest], None]:
    def edit(manifest: Manifest) -> None:
        labels = manifest["metadata"].setdefault("labels", {})
        labels.pop(key, None)
        if value is not None:
            labels[key] = value

    return edit


def told(done: Completed) -> Manifest:
    """The last line of the product's log: why it did not succeed."""
    assert "Traceback" not in done.stderr, done.stderr
    line: Manifest = json.loads(done.stderr.splitlines()[-1])
    return line
