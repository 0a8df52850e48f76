"""Which clusters a command is for."""

from kanfunc.domain.flavour import FLAVOURS, FlavourName
from kanfunc.domain.world import ClusterRef
from kanfunc.operations.selection import select_clusters
from kanfunc.ports import Ports


def select_refs(
    ports: Ports, namespace: str, names: list[str] | None, flavours: list[FlavourName] | None
) -> list[ClusterRef]:
    """The named clusters, or all of the namespace."""
    wanted = [each for each in FLAVOURS if not flavours or each.name in flavours]
    return [cluster.ref for cluster in select_clusters(ports, namespace, names or [], wanted)]
