"""Everything that is read of a cluster's objects, with every shape that it should not have.

Each case is a cluster of its own in one namespace, whole but for one value. They are written past the rules
of the API server, which would refuse some: its rules are not ours to rely on, and those of a CRD may change.
"""

import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from kanfunc.domain.codec import encode
from kanfunc.domain.flavour import CNPG, EDB, RECORD_ANNOTATION, Flavour
from kanfunc.domain.outcome import OUTCOME_ANNOTATION
from kanfunc.domain.record import State
from tests.builders import backup_manifest, healthy, proof, record, snapshot_manifest
from tests.lab.apiserver import (
    CNPG_BACKUPS,
    CNPG_CLUSTERS,
    EDB_BACKUPS,
    EDB_CLUSTERS,
    NAMESPACES,
    PODS,
    PVCS,
    VOLUME_SNAPSHOTS,
    Resource,
    Store,
)
from tests.lab.scripted import named, put

Manifest = dict[str, Any]
Path = tuple[str | int, ...]
GOOD, NAMESPACE = "good", "prod"
NESTED = "[" * 1000 + "]" * 1000


def deep(levels: int) -> Any:
    value: Any = 0
    for _ in range(levels):
        value = [value]
    return value


VALUES: Sequence[Any] = (
    None,
    0,
    -1,
    True,
    10**400,
    float("inf"),
    "",
    "odd",
    "\x00\ud800",
    [],
    {},
    [[]],
    {"odd": {}},
    ["a"],
    deep(300),
)
CLUSTER: Sequence[Path] = (
    ("spec",),
    ("status",),
    ("metadata", "labels"),
    ("metadata", "annotations"),
    ("metadata", "uid"),
    ("metadata", "resourceVersion"),
    ("metadata", "creationTimestamp"),
    ("metadata", "deletionTimestamp"),
    ("metadata", "ownerReferences"),
    ("status", "currentPrimary"),
    ("status", "targetPrimary"),
    ("spec", "instances"),
    ("spec", "postgresql"),
    ("spec", "postgresql", "synchronous"),
    ("spec", "postgresql", "synchronous", "number"),
    ("spec", "minSyncReplicas"),
    ("spec", "walStorage"),
    ("spec", "tablespaces"),
    ("spec", "backup"),
    ("spec", "backup", "barmanObjectStore"),
    ("spec", "plugins"),
    ("metadata", "annotations", "odd"),
    ("metadata", "labels", "odd"),
)
POD: Sequence[Path] = (
    ("spec",),
    ("status",),
    ("status", "conditions"),
    ("status", "conditions", 0),
    ("spec", "volumes"),
    ("spec", "containers"),
    ("spec", "containers", 0, "volumeMounts"),
    ("metadata", "annotations"),
    ("metadata", "uid"),
    ("spec", "volumes", 0, "persistentVolumeClaim"),
)
CLAIM: Sequence[Path] = (
    ("spec",),
    ("spec", "storageClassName"),
    ("metadata", "uid"),
    ("metadata", "creationTimestamp"),
)
BACKUP: Sequence[Path] = (
    ("spec",),
    ("spec", "cluster"),
    ("spec", "cluster", "name"),
    ("status",),
    ("status", "phase"),
    ("status", "instanceID"),
    ("status", "instanceID", "podName"),
)
SNAPSHOT: Sequence[Path] = (
    ("spec",),
    ("spec", "source"),
    ("spec", "source", "persistentVolumeClaimName"),
    ("status",),
    ("status", "creationTime"),
    ("status", "error"),
    ("metadata", "uid"),
)
EXTREME_TIMES = (
    "9999-12-31T23:59:59.999999-23:59",
    "0001-01-01T00:00:00+23:59",
    "2026-01-01T00:00:00",
    "x",
    7,
)
TEXTS: Sequence[str] = (
    NESTED,
    "[" * 100_000,
    '{"x":' + NESTED + "}",
    "",
    "null",
    "{}",
    "[]",
    "[1]",
    '[["kasten"]]',
    '["\\ud800"]',
    "1e400",
    "9" * 5000,
    '"x"',
    "\x00",
    "kasten",
    "{" * 2000,
    "- " * 2000,
    "a: &x [*x]",
    '["' + "x" * 200_000 + '"]',
)


@dataclass(frozen=True)
class Case:
    """`spoil` makes one object of the cluster odd; `of` is what it is done to."""

    name: str
    of: Resource
    spoil: Callable[[Manifest], None]


def cases(flavour: Flavour = EDB) -> Iterator[Case]:
    clusters, backups = (EDB_CLUSTERS, EDB_BACKUPS) if flavour is EDB else (CNPG_CLUSTERS, CNPG_BACKUPS)
    for resource, paths in (
        (clusters, CLUSTER),
        (PODS, POD),
        (PVCS, CLAIM),
        (backups, BACKUP),
        (VOLUME_SNAPSHOTS, SNAPSHOT),
    ):
        for place, path in enumerate(paths):
            for value in some(VALUES, place, 5):
                yield Case(f"{resource.plural} {path} {str(value)[:12]!r}", resource, setting(path, value))
    for place, key in enumerate(annotations_of(flavour)):
        for text in (NESTED, *some(TEXTS[1:], place, 5)):
            yield Case(f"{key} {text[:12]!r}", clusters, setting(("metadata", "annotations", key), text))
    for key, text in odd_records():
        yield Case(f"record {key}", clusters, setting(("metadata", "annotations", RECORD_ANNOTATION), text))


def some(values: Sequence[Any], place: int, one_of: int) -> Sequence[Any]:
    """Other ones at each place; all of them for `make test-all`."""
    return values if os.environ.get("KANFUNC_ODD_ALL") else values[place % one_of :: one_of]


def annotations_of(flavour: Flavour) -> Sequence[str]:
    """All that we read of a Cluster."""
    own = [
        flavour.adapter_key(name)
        for name in ("addons", "externalBackupAdapterClusterConfig", "snapshotAllowColdBackupOnPrimary")
    ]
    theirs = [
        flavour.key(name) for name in ("fencedInstances", "hibernation", "backupInstance", "skipWalArchiving")
    ]
    return [RECORD_ANNOTATION, OUTCOME_ANNOTATION, *own, *theirs]


def odd_records() -> Iterator[tuple[str, str]]:
    whole = json.loads(encode(record(State.ENDED, proof=proof(), sealed=datetime(2026, 1, 1, tzinfo=UTC))))
    for key in (*whole, "ended", "fenced", "judged", "late", "before", "verdict", "judged_snapshots"):
        for value in some((*EXTREME_TIMES, 10**400, [], {"a": []}, NESTED), len(key), 4):
            yield f"{key} {str(value)[:9]}", json.dumps(whole | {key: value})
    for key in whole["proof"]:
        for value in some((-1, 2**63, 10**30, 1e308, "FFFFFFFF/FFFFFFFF", "x" * 100_000), len(key), 6):
            yield f"proof {key}", json.dumps(whole | {"proof": whole["proof"] | {key: value}})


def setting(path: Path, value: Any) -> Callable[[Manifest], None]:
    def spoil(manifest: Manifest) -> None:
        at: Any = manifest
        for step in path[:-1]:
            at = at[step] if isinstance(step, int) else at.setdefault(step, {})
        at[path[-1]] = value

    return spoil


def in_dialect(manifest: Manifest, flavour: Flavour) -> Manifest:
    """The builders speak EDB's."""
    text = json.dumps(manifest)
    if flavour is CNPG:
        text = text.replace(f'"{EDB.key("addons")}"', f'"{CNPG.adapter_key("addons")}"')
        text = text.replace(EDB.group, CNPG.group).replace(f'"{EDB.prefix}/', f'"{CNPG.prefix}/')
    spoken: Manifest = json.loads(text)
    return spoken


def fill(store: Store, odd: Sequence[Case], flavour: Flavour = EDB) -> list[str]:
    """The good cluster, and one for each case; their names."""
    store.create(NAMESPACES, {"metadata": {"name": NAMESPACE}})
    names = [f"b{number:04}" for number in range(len(odd))]
    for name in (GOOD, *names):
        case = odd[names.index(name)] if name in names else None
        _fill_one(store, name, case, flavour)
    return names


def _fill_one(store: Store, name: str, case: Case | None, flavour: Flavour) -> None:
    clusters, backups = (EDB_CLUSTERS, EDB_BACKUPS) if flavour is EDB else (CNPG_CLUSTERS, CNPG_BACKUPS)
    scene = healthy()
    backup, snapshot = (
        backup_manifest("pg-backup", phase="completed"),
        snapshot_manifest("pg-snapshot", "pg-3"),
    )
    objects = [(clusters, scene.cluster), *((PODS, pod) for pod in scene.pods.values())]
    objects += [(PVCS, claim) for claim in scene.claims.values()]
    if case and case.of in {backups, VOLUME_SNAPSHOTS}:
        objects += [(backups, backup), (VOLUME_SNAPSHOTS, snapshot)]
    spoiled = False
    for resource, manifest in objects:
        spoken = in_dialect(named(manifest, name), flavour)
        put(store, resource, spoken)
        if case and resource == case.of and not spoiled:
            spoiled = True
            with store._lock:
                case.spoil(store._objects[resource, NAMESPACE, spoken["metadata"]["name"]])


def fenced(store: Store, name: str, deadline: timedelta, flavour: Flavour = EDB) -> None:
    """A sealed fence of ours on its second instance, as a run that died has left it."""
    clusters = EDB_CLUSTERS if flavour is EDB else CNPG_CLUSTERS
    now = datetime.now(UTC)  # noqa: TID251 - the server's clock is this one
    there = store.get(clusters, NAMESPACE, name)
    pod, claim = (store.get(each, NAMESPACE, f"{name}-2") for each in (PODS, PVCS))
    text = encode(
        record(
            id=f"fence-{name}",
            cluster_uid=there["metadata"]["uid"],
            instance=f"{name}-2",
            pod_uid=pod["metadata"]["uid"],
            volumes={f"{name}-2": claim["metadata"]["uid"]},
            started=now - timedelta(hours=1),
            fenced=now - timedelta(hours=1),
            sealed=now - timedelta(hours=1),
            deadline=now + deadline,
            proof=proof(),
        )
    )
    annotations = {RECORD_ANNOTATION: text, flavour.fenced_instances: f'["{name}-2"]'}
    store.update(clusters, NAMESPACE, name, lambda m: m["metadata"]["annotations"].update(annotations))
