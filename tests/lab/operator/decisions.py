"""What the operators and EDB's adapter decide, as pure functions over manifests."""

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from itertools import count

from tests.lab.operator.names import EVERY_INSTANCE, PRIMARY, Dialect, Manifest, dialect_of, serial_of


@dataclass(frozen=True)
class Adoption:
    """Restored volumes that a new Cluster takes over instead of running initdb.

    `serials` are those of all adopted instances, `primary` the one that leads.
    """

    primary: int
    serials: tuple[int, ...]


def labels(manifest: Manifest) -> dict[str, str]:
    """Labels of an object; empty where it has none."""
    return manifest["metadata"].get("labels") or {}


def annotations(manifest: Manifest) -> dict[str, str]:
    """Annotations of an object; empty where it has none."""
    return manifest["metadata"].get("annotations") or {}


def fence_list(cluster: Manifest) -> list[str]:
    """Entries of the fencing annotation; ValueError or TypeError where it is not a JSON list."""
    key = dialect_of(cluster).fenced_instances
    entries = json.loads(annotations(cluster).get(key) or "[]")
    if not isinstance(entries, list):
        raise TypeError(f"{key} is not a list: {entries!r}")
    return entries


def is_fenced(cluster: Manifest, instance: str) -> bool:
    """Whether the annotation names the instance, or all of them."""
    return bool({instance, EVERY_INSTANCE} & set(fence_list(cluster)))


def place_fence(cluster: Manifest, instance: str) -> None:
    """Put the instance into the annotation; one that is fenced already stays as it is."""
    if not is_fenced(cluster, instance):
        _write_fences(cluster, [*fence_list(cluster), instance])


def lift_fence(cluster: Manifest, instance: str) -> None:
    """Take the instance out of the annotation; `*` holds every instance and is left alone."""
    entries = fence_list(cluster)
    if instance in entries:
        _write_fences(cluster, [entry for entry in entries if entry != instance])


def _write_fences(cluster: Manifest, entries: list[str]) -> None:
    metadata, key = cluster["metadata"], dialect_of(cluster).fenced_instances
    metadata["annotations"] = dict(annotations(cluster))
    if entries:
        metadata["annotations"][key] = json.dumps(entries)
    else:
        metadata["annotations"].pop(key, None)


def is_hibernated(cluster: Manifest) -> bool:
    """Whether the Cluster is to have no pods until further notice."""
    return annotations(cluster).get(dialect_of(cluster).hibernation) == "on"


def elect(current: str | None, candidates: Collection[str], received: Mapping[str, int]) -> str | None:
    """Elect the instance to be backed up among the replicas.

    Whoever is elected stays elected for as long as it is a candidate. Otherwise it is the one furthest ahead
    by the end of its `received` WAL in bytes (missing: ahead of nobody), the lowest serial among equals.

    >>> elect(None, ["pg-4", "pg-3", "pg-2"], {"pg-3": 700, "pg-2": 700, "pg-4": 600})
    'pg-2'
    >>> elect("pg-4", ["pg-4", "pg-3"], {"pg-3": 700, "pg-4": 600})
    'pg-4'
    """
    if current in candidates:
        return current
    return min(candidates, key=lambda name: (-received.get(name, 0), serial_of(name)), default=None)


def candidates(cluster: Manifest, primary: str, instances: Collection[str]) -> list[str]:
    """Instances that may be elected: replicas; a lone primary only where its Cluster allows the outage."""
    permission = annotations(cluster).get(dialect_of(cluster).cold_primary)
    if set(instances) == {primary} and permission in {"enabled", "true"}:
        return [primary]
    return [instance for instance in instances if instance != primary]


def adoption(dialect: Dialect, cluster: str, claims: Iterable[Manifest]) -> Adoption | None:
    """Choose what a Cluster that was never initialised adopts; None means: bootstrap with initdb.

    Only claims without owner and with a serial count. All others are passed over in silence, as the real
    operator does: a restore that lost the annotations of its volumes ends in an empty database.
    """
    orphans = [claim for claim in claims if is_orphan(dialect, claim, cluster)]
    if not orphans:
        return None
    serials = sorted({int(annotations(claim)[dialect.node_serial]) for claim in orphans})
    leaders = [claim for claim in orphans if labels(claim).get(dialect.instance_role) == PRIMARY]
    primary = int(annotations(leaders[0])[dialect.node_serial]) if leaders else serials[-1]
    return Adoption(primary, tuple(serials))


def is_orphan(dialect: Dialect, claim: Manifest, cluster: str) -> bool:
    """Whether a claim of that cluster waits to be adopted."""
    return (
        labels(claim).get(dialect.cluster) == cluster
        and not claim["metadata"].get("ownerReferences")
        and annotations(claim).get(dialect.node_serial, "").isdecimal()
    )


def next_serial(instances: Iterable[str], taken: Collection[str]) -> int:
    """Serial of the next instance: above all that there are, and none whose name a foreign claim has `taken`.

    >>> next_serial([], ["pg-2"]), next_serial(["pg-1"], ["pg-2"])
    (1, 3)
    """
    highest = max(map(serial_of, instances), default=0)
    used = {serial_of(name) for name in taken}
    return next(serial for serial in count(highest + 1) if serial not in used)
