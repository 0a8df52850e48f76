"""What there is: objects in the store, files of the instances, and what really happened."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from kanfunc.domain.flavour import EDB, Flavour
from kanfunc.domain.world import Cluster, ClusterRef, Instance, RunningBackup, Volume, World
from tests.builders import ADDONS, REF, claim_manifest, cluster_manifest, pod_manifest
from tests.lab.apiserver import (
    CNPG_BACKUPS,
    CNPG_CLUSTERS,
    EDB_BACKUPS,
    EDB_CLUSTERS,
    NAMESPACES,
    PODS,
    PVCS,
    Manifest,
    Resource,
    Store,
)
from tests.machine.engine import Engine

INSTANCES = ("pg-1", "pg-2", "pg-3")
EVERYONE = "*"


class Violation(AssertionError):
    """An invariant of the design does not hold."""


@dataclass(frozen=True, order=True)
class Pending:
    """A command of the operator whose effect is still to come."""

    due: datetime
    instance: str
    lifts: bool = False


@dataclass
class Truth:
    """What really happened. Nothing here is read from the product's record."""

    human: set[str] = field(default_factory=set)
    """Entries that a person placed."""
    ours: set[str] = field(default_factory=set)
    """Entries that a call of ours placed, through a command or a patch."""
    fencing: set[str] = field(default_factory=set)
    """Instances that a call of ours has fenced and none has released: who fences them now joins us."""
    announced: set[str] = field(default_factory=set)
    """Instances for which a call of ours has announced that an entry may come."""
    copies: dict[str, tuple[str, Engine]] = field(default_factory=dict)
    """Snapshot UID -> claim, and the files as they were copied."""
    at_seal: dict[str, frozenset[str]] = field(default_factory=dict)
    """Fence id -> UIDs of the snapshots that existed at the moment of its seal."""


class Objects:
    """One cluster of three instances in the dialect of `flavour`."""

    def __init__(self, flavour: Flavour = EDB) -> None:
        self.flavour = flavour
        self.ref = ClusterRef(REF.namespace, REF.name, flavour)
        self.clusters = EDB_CLUSTERS if flavour is EDB else CNPG_CLUSTERS
        self.backups = EDB_BACKUPS if flavour is EDB else CNPG_BACKUPS
        self.now = datetime.now(UTC).replace(microsecond=0)  # noqa: TID251 - as the store dates its objects
        self.truth = Truth()
        self.store = Store()
        self.engines = {name: Engine() for name in INSTANCES}
        self.lagging: set[str] = set()
        self.pending: list[Pending] = []
        self.stalled = False
        self.hook_mode = "now"
        self.clean_stops = True
        self.lost_bytes = 0
        """What storage loses of an instance's WAL when it is stopped."""
        self.created: dict[str, datetime] = {}
        self.store.create(NAMESPACES, {"metadata": {"name": REF.namespace}})
        self._create_cluster({})
        for name in INSTANCES:
            self._create_instance(name, elected=name == "pg-2")

    # ---- objects

    def _create_cluster(self, annotations: dict[str, str]) -> None:
        self.create(self.clusters, self.spoken(cluster_manifest(annotations)))

    def _create_instance(self, name: str, *, elected: bool) -> None:
        self.create(PODS, self.spoken(pod_manifest(name, elected=elected)))
        claim = self.create(PVCS, self.spoken(claim_manifest(name, name, elected=elected)))
        self.created[claim["metadata"]["uid"]] = self.now

    def create(self, resource: Resource, manifest: Manifest) -> Manifest:
        manifest["metadata"].pop("uid", None)
        status = manifest.get("status")
        created = self.store.create(resource, manifest)
        return self.set_status(resource, created["metadata"]["name"], status) if status else created

    def set_status(self, resource: Resource, name: str, status: Manifest) -> Manifest:
        def edit(manifest: Manifest) -> None:
            manifest["status"] = status

        return self.store.update(resource, self.ref.namespace, name, edit, status=True)

    def spoken(self, manifest: Manifest) -> Manifest:
        """A manifest of the builders, which speak EDB's dialect, in ours."""
        if self.flavour is EDB:
            return manifest
        text = json.dumps(manifest).replace(ADDONS, "kanfunc.io/addons")
        text = text.replace(EDB.group, self.flavour.group)
        translated: Manifest = json.loads(text.replace(f"{EDB.prefix}/", f"{self.flavour.prefix}/"))
        return translated

    # ---- reading, as the gateway does

    def cluster(self) -> Cluster:
        manifest = self.store.get(self.clusters, self.ref.namespace, self.ref.name)
        return Cluster.from_manifest(manifest, self.flavour, self.now)

    def world(self) -> World:
        namespace = self.ref.namespace
        return World(
            cluster=self.cluster(),
            instances=tuple(Instance.from_manifest(pod) for pod in self.store.list(PODS, namespace)),
            volumes=tuple(self._volume(claim) for claim in self.store.list(PVCS, namespace)),
            backups=self.running_backups(),
        )

    def _volume(self, manifest: Manifest) -> Volume:
        created = f"{self.created[manifest['metadata']['uid']]:%Y-%m-%dT%H:%M:%SZ}"
        manifest["metadata"]["creationTimestamp"] = created
        return Volume.from_manifest(manifest, self.flavour)

    def running_backups(self) -> tuple[RunningBackup, ...]:
        found = map(RunningBackup.from_manifest, self.store.list(self.backups, self.ref.namespace))
        return tuple(backup for backup in found if backup)

    # ---- the fence list

    @property
    def fenced(self) -> list[str]:
        text = self.cluster().annotations.get(self.flavour.fenced_instances)
        return list(json.loads(text)) if text else []

    def write_fences(self, entries: Iterable[str]) -> None:
        """As an operator's command, or a person with kubectl, does: without conditions."""
        text = json.dumps(list(dict.fromkeys(entries)))
        self.annotate(self.flavour.fenced_instances, text if text != "[]" else None)
        self.truth.ours &= set(self.fenced)

    def annotate(self, key: str, value: str | None) -> None:
        def edit(manifest: Manifest) -> None:
            annotations = manifest["metadata"].setdefault("annotations", {})
            annotations.pop(key, None)
            annotations.update({key: value} if value is not None else {})

        self.store.update(self.clusters, self.ref.namespace, self.ref.name, edit)

    def is_fenced(self, instance: str) -> bool:
        return instance in self.fenced or EVERYONE in self.fenced
