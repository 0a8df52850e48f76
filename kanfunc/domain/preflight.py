"""May this cluster be fenced? Pure decisions over one reading of its world; a `no` is a Refused."""

from dataclasses import dataclass

from kanfunc.domain.adapter import Adapter, adapter_of
from kanfunc.domain.election import elected_instance, elected_volumes
from kanfunc.domain.errors import Refused
from kanfunc.domain.hooks import Hooks, hooks_of
from kanfunc.domain.record import Record, own_record_of
from kanfunc.domain.replication import Replication
from kanfunc.domain.world import Cluster, ClusterRef, Instance, Volume, World


@dataclass(frozen=True)
class Plan:
    """Who will be fenced, and how.

    hooks: the operator's commands; None where the fence is placed by a patch of ours. others: all instances
    besides that one and the primary. standing: the record of a run that died, if anything of it stands.
    """

    cluster: Cluster
    adapter: Adapter
    primary: Instance
    instance: Instance
    volumes: tuple[Volume, ...]
    hooks: Hooks | None
    others: frozenset[str]
    standing: Record | None

    @property
    def ref(self) -> ClusterRef:
        """The Cluster's namespace and name."""
        return self.cluster.ref

    @property
    def stops_primary(self) -> bool:
        """Whether it is the primary itself that was elected: its Cluster allows the outage."""
        return self.instance.name == self.primary.name


def plan_fence(world: World) -> Plan:
    """Decide; raises Refused with the first reason that speaks against a fence."""
    cluster = world.cluster
    adapter = adapter_of(cluster)
    record = own_record_of(cluster)
    require_free_fence_list(cluster, record)
    require_no_backup(world)
    primary = settled_primary(world)
    instance = elected_instance(world, adapter)
    return Plan(
        cluster=cluster,
        adapter=adapter,
        primary=primary,
        instance=instance,
        volumes=elected_volumes(world, instance, adapter),
        hooks=hooks_of(instance, adapter) if cluster.flavour.has_adapter else None,
        others=frozenset(pod.name for pod in world.instances) - {instance.name, primary.name},
        standing=record if record and (record.live or record.owned_entries(cluster)) else None,
    )


def require_free_fence_list(cluster: Cluster, record: Record | None) -> None:
    """Refuse where somebody else has fenced an instance; `record` says what is ours."""
    ours = record.owned_entries(cluster) if record else ()
    if foreign := [entry for entry in cluster.fenced.entries if entry not in ours]:
        raise Refused(
            f"Cluster {cluster.ref} has a fence that is not ours: {', '.join(foreign)}",
            expected=f"an empty {cluster.flavour.fenced_instances}",
            remedy="ask who fenced it; when it may go, take the entry out of the annotation and run again",
        )


def require_no_backup(world: World) -> None:
    """Refuse while the operator's own Backup runs."""
    if world.backups:
        names = ", ".join(backup.name for backup in world.backups)
        raise Refused(
            f"the operator's own Backup {names} of Cluster {world.cluster.ref} is running",
            expected="no other backup: it may take our fence for its own and lift it",
            remedy="run again when it has ended, or delete it when it hangs",
        )


def settled_primary(world: World) -> Instance:
    """The primary's pod; Refused where the cluster has none that stays."""
    cluster = world.cluster
    if cluster.deleting:
        raise Refused(
            f"Cluster {cluster.ref} is being deleted",
            expected="a cluster that stays",
            remedy="exclude it from the policy",
        )
    if cluster.hibernated:
        raise Refused(
            f"Cluster {cluster.ref} is hibernated",
            expected="running instances: without a pod nobody can look into its volumes and prove anything",
            remedy="wake it (remove that annotation) for the backup, or exclude it from the policy",
        )
    if world.primary is None:
        raise Refused(
            f"Cluster {cluster.ref} has no settled primary (current: {cluster.current_primary or 'none'}, "
            f"target: {cluster.target_primary or 'none'})",
            expected="current and target primary to be the same, with a pod",
            remedy="a switchover or failover is going on: run again after it",
        )
    return world.primary


def require_replication(plan: Plan, replication: Replication) -> None:
    """Refuse unless the primary is one, and serves the elected instance and another replica.

    With two instances a primary that dies while the replica is fenced takes its commits with it. Where the
    primary itself was elected, by permission, no copy can be more than it has, and the outage is accepted.
    The instance of a dead run's fence need not stream: it may still be stopped.
    """
    if replication.in_recovery:
        raise Refused(
            f"the primary {plan.primary.name} of Cluster {plan.ref} is in recovery",
            expected="a primary that accepts writes",
            remedy="a failover is going on: run again after it",
        )
    if plan.stops_primary:
        return
    names = set(replication.streaming)
    if plan.standing is None and plan.instance.name not in names:
        raise Refused(
            f"the elected instance {plan.instance.name} does not stream from {plan.primary.name}",
            expected=f"{plan.instance.name} in pg_stat_replication with state streaming",
            remedy="look into that pod's log; its copy would be stale",
        )
    others = names & plan.others  # pg_basebackup and replica clusters stream, too
    needed = max(1, required_synchronous(plan.cluster))
    if len(others) < needed:
        raise Refused(
            f"besides {plan.instance.name}, {len(others)} replica(s) of Cluster {plan.ref} stream: "
            f"{', '.join(sorted(others)) or 'none'}",
            expected=f"at least {needed}: were the primary lost meanwhile, commits would be lost with it, "
            "and synchronous commits must not stall",
            remedy="add an instance (spec.instances), or wait until the replicas stream again",
        )


def required_synchronous(cluster: Cluster) -> int:
    """How many standbys must confirm before a commit returns; `preferred` durability never stalls."""
    synchronous = (cluster.spec.get("postgresql") or {}).get("synchronous") or {}
    if synchronous:
        return 0 if synchronous.get("dataDurability") == "preferred" else int(synchronous.get("number") or 0)
    return int(cluster.spec.get("minSyncReplicas") or 0)
