"""Which clusters a command is for."""

from kanfunc.domain.flavour import FlavourName
from kanfunc.domain.world import ClusterRef
from kanfunc.operations.selection import select_clusters
from kanfunc.options import chosen
from kanfunc.ports import Ports


def select_refs(
    ports: Ports, namespace: str, names: list[str] | None, flavours: list[FlavourName] | None
) -> list[ClusterRef]:
    """The named clusters, or all of the namespace."""
    return [cluster.ref for cluster in select_clusters(ports, namespace, names or [], chosen(flavours))]
