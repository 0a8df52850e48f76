"""Which clusters a call is for."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress

from kanfunc.domain.adapter import is_of_another_product
from kanfunc.domain.errors import ApiFailed, Forbidden, KanfuncError, NotFound, Refused, Terminated
from kanfunc.domain.flavour import Flavour
from kanfunc.domain.unexpected import contained
from kanfunc.domain.world import Cluster, ClusterRef, Listed, Unreadable
from kanfunc.ports import Fleet, Ports


def select_clusters(
    ports: Ports, namespace: str, names: Sequence[str], flavours: Sequence[Flavour]
) -> tuple[Listed, ...]:
    """The named Clusters, or all of the namespace; Refused when one or all are missing.

    A policy that protects nothing would look like a backup. Clusters whose adapter belongs to another
    product are left alone. One that cannot be read is chosen, too: work at it fails, by its name.
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


def _clusters_of(ports: Ports, namespace: str, flavours: Sequence[Flavour]) -> list[Listed]:
    """Those of every operator that is installed; at least one must be."""
    found: list[Listed] = []
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


def every_cluster(fleet: Fleet, flavours: Sequence[Flavour], scope: Sequence[str | None]) -> Iterator[Listed]:
    """All Clusters of these namespaces (None: of all), of whatever operator is installed."""
    for flavour in flavours:
        for namespace in scope:
            try:
                changes = next(iter(fleet.clusters(flavour, namespace)))
            except NotFound:  # that operator is not installed
                continue
            yield from (change.cluster for change in changes if change.cluster is not None)


def _ours(clusters: Iterable[Listed], ports: Ports, *, named_ones: bool) -> Iterable[Listed]:
    for cluster in clusters:
        if isinstance(cluster, Unreadable) or not _is_foreign(cluster):
            yield cluster
        elif named_ones:
            raise Refused(
                f"Cluster {cluster.ref} belongs to Cloud Pak for Data (icpdsupport/*)",
                expected="a Cluster whose backups are ours to take",
                remedy="back it up with the product it belongs to; take it out of --cluster",
            )
        else:
            ports.journal.warn("left alone", cluster=str(cluster.ref), reason="icpdsupport/*: not ours")


def _is_foreign(cluster: Cluster) -> bool:
    """False where nobody can say: then work at it fails by its name."""
    with suppress(AttributeError, TypeError):
        return is_of_another_product(cluster)
    return False


def at_each(
    refs: Iterable[ClusterRef], work: Callable[[ClusterRef], None], ports: Ports, what: str
) -> dict[ClusterRef, KanfuncError]:
    """Work at one cluster after the other, whatever befalls the others; the failures, told by name."""
    failures: dict[ClusterRef, KanfuncError] = {}
    for ref in refs:
        try:
            with contained(ref):
                work(ref)
        except Terminated:
            raise
        except KanfuncError as failure:
            failures[ref] = failure
            ports.journal.warn(what, cluster=str(ref), reason=str(failure))
    return failures


def readable(cluster: Listed) -> Cluster:
    """The Cluster; ApiFailed where it has an odd shape."""
    if isinstance(cluster, Unreadable):
        raise ApiFailed(cluster.why, remedy="look at it: kubectl get -o yaml")
    return cluster
