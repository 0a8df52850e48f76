"""ClusterApi over the store, with the product's own parsers and the product's own patches."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from kanfunc.domain.errors import Conflict
from kanfunc.domain.flavour import Flavour
from kanfunc.domain.record import Changes, Record, State, own_record_of
from kanfunc.domain.snapshots import VolumeSnapshot
from kanfunc.domain.world import Cluster, ClusterRef, Instance, RunningBackup, Volume, World
from kanfunc.gateways.kube import cluster_patch, guarded_patch
from tests.lab.apiserver import JSON_PATCH, PODS, PVCS, StatusError
from tests.machine import properties
from tests.machine.simulation import Simulation

if TYPE_CHECKING:
    from tests.machine.actors import Actor


def check_patch(simulation: Simulation, before: Cluster) -> None:
    """What a patch of ours has made of the Cluster keeps the invariants."""
    after = simulation.cluster()
    properties.check_entries_of_others(simulation, before, after)
    _note(simulation, after, own_record_of(after))
    properties.check_seal(simulation, before, after)
    properties.check_verdict(simulation, before, after)


def _note(simulation: Simulation, after: Cluster, record: Record | None) -> None:
    """What this patch of ours did, for the truth."""
    truth = simulation.truth
    if record and record.late:
        truth.announced |= {late.instance for late in record.late}
    if record and record.state is State.FENCED and not simulation.flavour.has_adapter:
        truth.ours.add(record.instance)
        truth.fencing.add(record.instance)
    if record and record.state is State.ENDED:
        truth.fencing.discard(record.instance)
    truth.ours &= set(after.fenced.entries)


class SimulatedApi:
    """See ClusterApi."""

    def __init__(self, simulation: Simulation, actor: "Actor") -> None:
        self._simulation, self._actor = simulation, actor

    def clusters(self, namespace: str, flavour: Flavour) -> tuple[Cluster, ...]:
        return (self._simulation.cluster(),)

    def cluster(self, ref: ClusterRef) -> Cluster:
        return self._simulation.cluster()

    def world(self, ref: ClusterRef, cluster: Cluster | None = None) -> World:
        world = self._simulation.world()
        return world if cluster is None else replace(world, cluster=cluster)

    def instances(self, ref: ClusterRef) -> tuple[Instance, ...]:
        return self._simulation.world().instances

    def volumes(self, ref: ClusterRef) -> tuple[Volume, ...]:
        return self._simulation.world().volumes

    def running_backups(self, ref: ClusterRef) -> tuple[RunningBackup, ...]:
        return self._simulation.running_backups()

    def other_pods(self, ref: ClusterRef) -> tuple[str, ...]:
        return ()

    def annotate(self, cluster: Cluster, changes: Changes, *, exact: bool = False) -> Cluster:
        simulation = self._simulation
        before = simulation.cluster()
        patch = cluster_patch(cluster, changes, exact=exact)
        where = (simulation.clusters, cluster.ref.namespace, cluster.ref.name)
        self._patch(where, patch)
        check_patch(simulation, before)
        return simulation.cluster()

    def label(self, ref: ClusterRef, target: Instance | Volume, changes: Changes) -> None:
        resource = PODS if isinstance(target, Instance) else PVCS
        patch = guarded_patch("labels", target.uid, target.labels, changes)
        self._patch((resource, ref.namespace, target.name), patch)

    def _patch(self, where: tuple[Any, str, str], patch: Any) -> None:
        try:
            self._simulation.store.patch(*where, patch, JSON_PATCH)
        except StatusError as error:
            raise Conflict(str(error)) from error

    def watch_cluster(self, ref: ClusterRef, seconds: float) -> Cluster:
        return self._simulation.cluster()

    def watch_instance(self, ref: ClusterRef, name: str, seconds: float) -> Instance | None:
        return self._simulation.world().instance(name)

    def watch_snapshots(self, namespace: str, seconds: float) -> tuple[VolumeSnapshot, ...]:
        return self.snapshots(namespace)

    def snapshots(self, namespace: str) -> tuple[VolumeSnapshot, ...]:
        found = tuple(VolumeSnapshot.from_manifest(each) for each in self._simulation.snapshots())
        self._actor.listed = frozenset(snapshot.uid for snapshot in found)
        return found

    def without_snapshot_class(self, volumes: Sequence[Volume]) -> tuple[str, ...]:
        return ()

    def announce(self, cluster: Cluster, reason: str, message: str, *, warning: bool = False) -> None:
        """News is no step."""
