"""elect: play the backup adapter on a cluster whose operator has none."""

from collections.abc import Sequence
from dataclasses import dataclass

from kanfunc.domain.adapter import Adapter, adapter_of
from kanfunc.domain.candidacy import choose, relabellings, standing_election
from kanfunc.domain.errors import ApiFailed, Conflict, Refused, worst
from kanfunc.domain.record import own_record_of
from kanfunc.domain.world import ClusterRef, World
from kanfunc.operations.selection import at_each
from kanfunc.ports import Ports

_ATTEMPTS = 20


@dataclass(frozen=True)
class Elected:
    """Who is elected, and whether its pod is ready now."""

    instance: str
    ready: bool


def elect_each(refs: Sequence[ClusterRef], ports: Ports) -> None:
    """Elect in every cluster, whatever befalls the others; then the worst failure is raised."""

    def elect_one(ref: ClusterRef) -> None:
        if elected := elect(ref, ports):
            ports.journal.step("elected", cluster=str(ref), instance=elected.instance)

    if failures := at_each(refs, elect_one, ports, "not elected"):
        raise worst(list(failures.values()))


def elect(ref: ClusterRef, ports: Ports, *, patient: bool = False) -> Elected | None:
    """Label one instance and its volumes as elected, all others as excluded; nothing where that is so.

    Kasten discovers volumes before its first hook: so the labels must stand before a backup begins.
    patient: whoever is elected stays so, also while it does not stream, unless it is gone or leads.
    None where the operator elects itself.
    """
    if ref.flavour.has_adapter:
        ports.journal.step("left to its operator", cluster=str(ref))
        return None
    for _ in range(_ATTEMPTS):
        world = ports.api.world(ref)
        adapter = adapter_of(world.cluster)
        elected = _elected(world, adapter, ports, patient=patient)
        try:
            for each in relabellings(world, elected, adapter):
                ports.api.label(ref, each.target, each.changes)
                ports.journal.step("labelled", cluster=str(ref), target=each.target.name, labels=each.changes)
        except Conflict:
            continue
        pod = world.instance(elected)
        return Elected(elected, ready=pod is not None and pod.ready)
    raise ApiFailed(
        f"labels of the pods and volumes of Cluster {ref} changed under each of {_ATTEMPTS} attempts",
        remedy="find out which controller rewrites them all the time",
    )


def _elected(world: World, adapter: Adapter, ports: Ports, *, patient: bool) -> str:
    """While a fence of ours stands, its instance stays elected whatever becomes of it."""
    cluster = world.cluster
    record = own_record_of(cluster)
    if record and record.live:
        return record.instance
    if patient and (standing := standing_election(world, adapter)):
        return standing
    if world.primary is None:
        raise Refused(
            f"Cluster {cluster.ref} has no settled primary",
            expected="a primary to ask who streams from it",
            remedy="a switchover or failover is going on, or the cluster is hibernated: run again after it",
        )
    replication = ports.shell.replication(cluster.ref, world.primary.name)
    if elected := choose(world, replication, adapter):
        return elected
    raise Refused(
        f"no instance of Cluster {cluster.ref} can be elected: none streams from {world.primary.name}",
        expected="a streaming replica",
        remedy="add an instance (spec.instances), or wait until the replicas stream",
    )
