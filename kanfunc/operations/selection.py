"""Which clusters a call is for."""

from collections.abc import Sequence

from kanfunc.domain.errors import NotFound, Refused
from kanfunc.domain.world import Cluster
from kanfunc.ports import ClusterApi


def select_clusters(api: ClusterApi, namespace: str, names: Sequence[str]) -> tuple[Cluster, ...]:
    """The named Clusters, or all of the namespace; Refused when one or all are missing.

    A policy that protects nothing would look like a backup.
    """
    try:
        clusters = api.clusters(namespace)
    except NotFound as error:
        raise Refused(
            f"the API server does not know the operator's Clusters ({error.found})",
            expected="EDB Postgres for Kubernetes to be installed",
            remedy="install the operator, or take this hook off the policy",
        ) from error
    if missing := sorted(set(names) - {cluster.ref.name for cluster in clusters}):
        raise Refused(
            f"namespace {namespace} has no Cluster {', '.join(missing)}",
            expected=f"one of: {', '.join(cluster.ref.name for cluster in clusters) or 'there is none'}",
            remedy="correct --cluster or --namespace",
        )
    chosen = tuple(cluster for cluster in clusters if not names or cluster.ref.name in names)
    if not chosen:
        raise Refused(
            f"there is no Cluster in namespace {namespace}, or no such namespace",
            expected="at least one Cluster: a policy that protects none must not look like a backup",
            remedy="correct --namespace, or take this hook off the policy",
        )
    return chosen
