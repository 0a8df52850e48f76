"""Waiting for instances to come back, by facts: the Cluster's status phase is not asked."""

from kanfunc.domain.errors import WaitTimeout
from kanfunc.domain.world import Cluster, ClusterRef, Instance
from kanfunc.operations.waiting import wait_until
from kanfunc.ports import Ports


def await_primary(ref: ClusterRef, ports: Ports, seconds: float) -> Instance:
    """The primary by facts: settled, its pod ready, and not in recovery. The status phase is not asked."""
    start = ports.clock.monotonic()
    cluster = wait_until(
        lambda left: ports.api.watch_cluster(ref, left),
        lambda cluster: bool(cluster.settled_primary),
        clock=ports.clock,
        seconds=seconds,
        what=f"a settled primary of Cluster {ref}",
        describe=_leaders,
        remedy=f"kubectl get pods -n {ref.namespace}, and the operator's log; run again when somebody leads",
    )
    name = cluster.settled_primary or ""
    instance = wait_until(
        lambda left: ports.api.watch_instance(ref, name, left),
        lambda instance: instance is not None and instance.ready,
        clock=ports.clock,
        seconds=seconds - (ports.clock.monotonic() - start),
        what=f"pod {name} to become ready",
        describe=lambda instance: f"pod {name} is {'not ready' if instance else 'not there'}",
        remedy=f"{_log(ref, name)}; run again when it is ready",
    )
    left = max(1.0, seconds - (ports.clock.monotonic() - start))
    if instance is None or not ports.shell.await_writable(ref, name, left):
        raise WaitTimeout(
            f"the primary {name} of Cluster {ref} is still in recovery after {seconds:g} s",
            expected="a primary that accepts writes",
            remedy=f"{_log(ref, name)} shows how far it is; run again, or raise --primary-timeout",
        )
    ports.journal.step("primary is back", cluster=str(ref), primary=name)
    return instance


def _leaders(cluster: Cluster) -> str:
    return f"current primary {cluster.current_primary or 'none'}, target {cluster.target_primary or 'none'}"


def await_back(
    ref: ClusterRef, primary: str, instance: str, ports: Ports, seconds: float, *, caught_up: bool = False
) -> bool:
    """Whether an instance that was fenced serves again: streams, or accepts writes where it leads."""
    if instance == primary:
        return ports.shell.await_writable(ref, primary, seconds)
    return ports.shell.await_streaming(ref, primary, instance, seconds, caught_up=caught_up)


def await_replicas(ref: ClusterRef, primary: Instance, ports: Ports, seconds: float | None) -> None:
    """Wait for as many streaming replicas as the Cluster asks for, where the caller wants that."""
    if seconds is None:
        return
    cluster = ports.api.cluster(ref)
    wanted = int(cluster.spec.get("instances") or 1)
    start = ports.clock.monotonic()
    world = wait_until(
        lambda left: (ports.api.world(ref) for _ in ports.api.watch_cluster(ref, left)),
        lambda world: len(world.instances) >= wanted,
        clock=ports.clock,
        seconds=seconds,
        what=f"{wanted} instances of Cluster {ref}",
        describe=lambda world: f"pods: {', '.join(pod.name for pod in world.instances)}",
        remedy=f"kubectl get pods -n {ref.namespace}: see why the others do not start",
    )
    for replica in world.instances:
        left = max(1.0, seconds - (ports.clock.monotonic() - start))
        if replica.name != primary.name and not ports.shell.await_streaming(
            ref, primary.name, replica.name, left, caught_up=False
        ):
            raise WaitTimeout(
                f"{replica.name} does not stream from {primary.name} after {seconds:g} s",
                expected=f"{replica.name} in pg_stat_replication with state streaming",
                remedy=_log(ref, replica.name),
            )
    ports.journal.step("replicas are back", cluster=str(ref), instances=len(world.instances))


def _log(ref: ClusterRef, pod: str) -> str:
    return f"kubectl logs -n {ref.namespace} {pod} -c postgres"
