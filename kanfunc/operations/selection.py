"""Which clusters a call is for."""

from collections.abc import Iterable, Iterator, Sequence

from kanfunc.domain.adapter import is_of_another_product
from kanfunc.domain.errors import Forbidden, NotFound, Refused
from kanfunc.domain.flavour import Flavour
from kanfunc.domain.world import Cluster
from kanfunc.ports import Fleet, Ports


def select_clusters(
    ports: Ports, namespace: str, names: Sequence[str], flavours: Sequence[Flavour]
) -> tuple[Cluster, ...]:
    """The named Clusters, or all of the namespace; Refused when one or all are missing.

    A policy that protects nothing would look like a backup. Clusters whose adapter belongs to another
    product are left alone.
    """
    clusters = _clusters_of(ports, namespace, flavours)
    if missing := sorted(set(names) - {cluster.ref.name for cluster in clusters}):
        raise Refused(
            f"namespace {namespace} has no Cluster {', '.join(missing)}",
            expected=f"one of: {', '.join(cluster.ref.name for cluster in clusters) or 'there is none'}",
            remedy="correct --cluster or --namespace",
        )
    named = (cluster for cluster in clusters if not names or cluster.ref.name in names)
    chosen = tuple(_ours(named, ports, named_ones=bool(names)))
    if not chosen:
        raise Refused(
            f"there is no Cluster in namespace {namespace} that is ours to protect, or no such namespace",
            expected="at least one Cluster: a policy that protects none must not look like a backup",
            remedy="correct --namespace, or take this hook off the policy",
        )
    return chosen


def _clusters_of(ports: Ports, namespace: str, flavours: Sequence[Flavour]) -> list[Cluster]:
    """Those of every operator that is installed; at least one must be."""
    found: list[Cluster] = []
    unknown: list[str] = []
    for flavour in flavours:
        try:
            found += ports.api.clusters(namespace, flavour)
        except NotFound as error:
            unknown.append(f"{flavour.product}: {error.found}")
        except Forbidden as error:
            raise Refused(
                error.found,
                expected=f"permission to list the Clusters of {flavour.product}",
                remedy="grant it; or, where that operator is not installed, name the others with --flavour",
            ) from error
    if len(unknown) == len(flavours):
        raise Refused(
            f"the API server does not know the operator's Clusters ({'; '.join(unknown)})",
            expected=f"{' or '.join(flavour.product for flavour in flavours)} to be installed",
            remedy="install the operator, or take this hook off the policy",
        )
    return found


def every_cluster(
    fleet: Fleet, flavours: Sequence[Flavour], scope: Sequence[str | None]
) -> Iterator[Cluster]:
    """All Clusters of these namespaces (None: of all), of whatever operator is installed."""
    for flavour in flavours:
        for namespace in scope:
            try:
                changes = next(iter(fleet.clusters(flavour, namespace)))
            except NotFound:  # that operator is not installed
                continue
            yield from (change.cluster for change in changes if change.cluster is not None)


def _ours(clusters: Iterable[Cluster], ports: Ports, *, named_ones: bool) -> Iterable[Cluster]:
    for cluster in clusters:
        if not is_of_another_product(cluster):
            yield cluster
        elif named_ones:
            raise Refused(
                f"Cluster {cluster.ref} belongs to Cloud Pak for Data (icpdsupport/*)",
                expected="a Cluster whose backups are ours to take",
                remedy="back it up with the product it belongs to; take it out of --cluster",
            )
        else:
            ports.journal.warn("left alone", cluster=str(cluster.ref), reason="icpdsupport/*: not ours")
