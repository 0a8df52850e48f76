"""Many clusters behind one API server whose commands are scripted: no PostgreSQL runs, no operator works.

Each is the healthy cluster of the builders under a name of its own. A command answers as the product's script
of that name would, after a fixed time: so many clusters can be fenced that no machine could run.
"""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from kanfunc.domain.flavour import EDB
from kanfunc.domain.world import ClusterRef
from kanfunc.gateways import scripts
from tests.builders import FENCED, ON_ERROR, POST, PRE, REF, healthy
from tests.lab.apiserver import (
    EDB_CLUSTERS,
    NAMESPACES,
    PODS,
    PVCS,
    STORAGE_CLASSES,
    VOLUME_SNAPSHOT_CLASSES,
    VOLUME_SNAPSHOTS,
    ExecRequest,
    Manifest,
    Reply,
    Resource,
    Store,
)
from tests.lab.operator.manifests import snapshot_class, storage_class

_LIMITED = 4
"""Words of `timeout -k 5 SECONDS` before the command."""
_BEFORE_ARGUMENTS = 4
"""Words of `sh -c SCRIPT kanfunc` before a script's arguments."""

_BOUND = "0/3000200"
_STOPPED = f"""
--kanfunc:control
pg_control version number:            1300
Database system identifier:           7711300797202939188
Database cluster state:               shut down in recovery
Latest checkpoint location:           0/3000100
Minimum recovery ending location:     {_BOUND}
Min recovery ending loc's timeline:   1
WAL block size:                       8192
Bytes per WAL segment:                16777216

--kanfunc:complaint
pg_waldump: error: could not find a valid record after {_BOUND}

--kanfunc:record

--kanfunc:segment
begun

--kanfunc:newest
000000010000000000000003

--kanfunc:version
pg_controldata (PostgreSQL) 17.2

--kanfunc:digest
c0ffee
"""


def put(store: Store, resource: Resource, manifest: Manifest) -> None:
    """An object with its status."""
    status = manifest.get("status") or {}
    metadata = store.create(resource, manifest)["metadata"]
    if resource.status:
        place = (resource, metadata.get("namespace", ""), metadata["name"])
        store.update(*place, lambda stored: stored.update(status=status), status=True)


def _busy(seconds: float) -> None:
    time.sleep(seconds)  # noqa: TID251 - the time that a command takes


def named(manifest: Manifest, name: str) -> Manifest:
    """A manifest of the builders' cluster `pg`, of the cluster of that name."""
    renamed: Manifest = json.loads(json.dumps(manifest).replace('"pg', f'"{name}'))
    return renamed


@dataclass
class Scripted:
    """The clusters, and the handler of their commands.

    Seconds: what waits for PostgreSQL (replay, stop, return) takes `waits`, any other command `looks`.
    `before` is called with each command before it answers; it may block, or raise StatusError.
    `padding`: bytes that every object holds besides, as real ones do.
    """

    clusters: int
    waits: float
    looks: float
    before: Callable[[ExecRequest], None] = lambda _: None
    padding: int = 0
    store: Store = field(default_factory=Store)
    marks: dict[str, str] = field(default_factory=dict)
    """By pod."""

    def __post_init__(self) -> None:
        self.store.create(NAMESPACES, {"metadata": {"name": REF.namespace}})
        fast = {"metadata": {"name": "fast"}}
        self.store.create(STORAGE_CLASSES, storage_class() | fast)
        self.store.create(VOLUME_SNAPSHOT_CLASSES, snapshot_class() | fast)
        scene = healthy()
        for ref in self.refs:
            self._put(EDB_CLUSTERS, named(scene.cluster, ref.name))
            for pod in scene.pods.values():
                self._put(PODS, named(pod, ref.name))
            for claim in scene.claims.values():
                self._put(PVCS, named(claim, ref.name))

    def _put(self, resource: Resource, manifest: Manifest) -> None:
        manifest["spec"]["padding"] = [f"{number:016x}" for number in range(self.padding // 20)]
        put(self.store, resource, manifest)

    @property
    def refs(self) -> list[ClusterRef]:
        return [ClusterRef(REF.namespace, f"c{number:03}", EDB) for number in range(self.clusters)]

    def snapshot(self) -> None:
        """Kasten's part: the elected volume of each cluster, cut."""
        for ref in self.refs:
            claim = f"{ref.name}-2"
            put(
                self.store,
                VOLUME_SNAPSHOTS,
                {
                    "apiVersion": "snapshot.storage.k8s.io/v1",
                    "kind": "VolumeSnapshot",
                    "metadata": {"generateName": "k10-", "namespace": ref.namespace},
                    "spec": {"source": {"persistentVolumeClaimName": claim}},
                    "status": {"creationTime": "2026-11-23T09:05:00Z"},
                },
            )

    def fenced(self) -> list[str]:
        """All entries of all fence lists."""
        lists = (each["metadata"].get("annotations", {}) for each in self.store.list(EDB_CLUSTERS))
        return [entry for found in lists for entry in json.loads(found.get(FENCED, "[]"))]

    def __call__(self, request: ExecRequest) -> Reply:
        """See ExecHandler."""
        self.before(request)
        command = request.command[_LIMITED:]
        if command[0] != "sh":
            _busy(self.looks)
            return self._hook(request, command)
        script, arguments = command[2], command[_BEFORE_ARGUMENTS:]
        _busy(self.waits if script in _WAITING else self.looks)
        return Reply(0, _ANSWERS[script](self, request.pod, arguments))

    def _hook(self, request: ExecRequest, command: tuple[str, ...]) -> Reply:
        """EDB's command edits the fence list, as its add-on does."""
        entries = f'["{request.pod}"]' if command == PRE else None
        assert command in {PRE, POST, ON_ERROR}

        def edit(manifest: Manifest) -> None:
            annotations = manifest["metadata"]["annotations"]
            annotations.pop(FENCED, None)
            annotations.update({FENCED: entries} if entries else {})

        self.store.update(EDB_CLUSTERS, request.namespace, request.pod.rpartition("-")[0], edit)
        return Reply(0)

    def replication(self, pod: str, _: tuple[str, ...]) -> str:
        name = pod.rpartition("-")[0]
        standbys = [
            {"name": f"{name}-{n}", "state": "streaming", "sync_state": "async", "replay_lsn": _BOUND}
            for n in (2, 3)
        ]
        found = {"in_recovery": False, "flushed": _BOUND, "system_identifier": "7711300797202939188"}
        return json.dumps(found | {"standbys": standbys})

    def inscribe(self, pod: str, arguments: tuple[str, ...]) -> str:
        self.marks[pod] = arguments[1]
        return ""

    def erase_marks(self, pod: str, _: tuple[str, ...]) -> str:
        self.marks.pop(pod, None)
        return ""

    def inspect(self, pod: str, arguments: tuple[str, ...]) -> str:
        found = "".join(
            f"\n--kanfunc:mark:{root}\n{self.marks.get(pod, '')}\n--kanfunc:verdict:{root}\n"
            for root in arguments[2:]
        )
        return f"--kanfunc:digest\nc0ffee\n{found}--kanfunc:running\nno\n"


_WAITING = {scripts.AWAIT_REPLAY, scripts.AWAIT_STOPPED, scripts.AWAIT_STREAMING}
_ANSWERS: Mapping[str, Callable[[Scripted, str, tuple[str, ...]], str]] = {
    scripts.REPLICATION: Scripted.replication,
    scripts.EMIT_BOUND: lambda *_: f"725\n{_BOUND}\n{_BOUND}\n",
    scripts.AWAIT_REPLAY: lambda *_: f"t|{_BOUND}|0",
    scripts.AWAIT_STOPPED: lambda *_: _STOPPED,
    scripts.INSCRIBE: Scripted.inscribe,
    scripts.INSPECT: Scripted.inspect,
    scripts.ERASE_MARKS: Scripted.erase_marks,
    scripts.AWAIT_STREAMING: lambda *_: "yes\n",
}
