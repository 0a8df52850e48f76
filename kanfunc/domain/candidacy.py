"""The adapter's part where the operator has none: whom to elect, and which labels say so."""

from collections.abc import Iterator
from dataclasses import dataclass

from kanfunc.domain.adapter import Adapter
from kanfunc.domain.election import carries, may_stop_primary
from kanfunc.domain.replication import Replication
from kanfunc.domain.world import Instance, Volume, World

LabelChanges = dict[str, str | None]
"""Labels to set, or to remove where the value is None."""


@dataclass(frozen=True)
class Relabelling:
    """One pod or volume whose labels are to change."""

    target: Instance | Volume
    changes: LabelChanges


def standing_election(world: World, adapter: Adapter) -> str | None:
    """Who is elected by its labels, unless it leads: a primary is elected anew, by permission, or not."""
    elected = [pod.name for pod in world.instances if carries(pod.labels, adapter.hooked)]
    if len(elected) != 1 or elected[0] in {world.cluster.current_primary, world.cluster.target_primary}:
        return None
    return elected[0]


def choose(world: World, replication: Replication, adapter: Adapter) -> str | None:
    """Whom to elect: who was, as long as it streams; else the replica that has replayed most.

    A lone primary is elected where its Cluster allows the outage.
    """
    replayed = replication.streaming
    candidates = [pod for pod in world.instances if pod.name in replayed]
    elected = [pod.name for pod in candidates if carries(pod.labels, adapter.hooked)]
    if len(elected) == 1:
        return elected[0]
    if candidates:
        return min(candidates, key=lambda pod: (-replayed[pod.name], pod.name)).name
    lone = len(world.instances) == 1 and world.primary is not None and may_stop_primary(world.cluster)
    return world.instances[0].name if lone else None


def relabellings(world: World, elected: str, adapter: Adapter) -> tuple[Relabelling, ...]:
    """What is to change so that `elected` alone is elected, with all its volumes.

    The others come first: at no moment do two instances look elected.
    """
    chosen = world.instance(elected)
    volumes = world.volumes_of(chosen) if chosen else ()
    wanted: list[tuple[bool, Instance | Volume]] = [(pod == chosen, pod) for pod in world.instances]
    wanted += [(volume in volumes, volume) for volume in world.volumes]
    wanted.sort(key=lambda pair: pair[0])
    return tuple(_needed(wanted, adapter))


def _needed(wanted: list[tuple[bool, Instance | Volume]], adapter: Adapter) -> Iterator[Relabelling]:
    for is_elected, target in wanted:
        mark = adapter.hooked if isinstance(target, Instance) else adapter.elected
        present, absent = (mark, adapter.excluded) if is_elected else (adapter.excluded, mark)
        changes: LabelChanges = {key: None for key in absent if key in target.labels}
        changes |= {key: value for key, value in present.items() if target.labels.get(key) != value}
        if changes:
            yield Relabelling(target, changes)
