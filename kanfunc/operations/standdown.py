"""stand-down: leave the cluster without a fence of ours, because what would end it is about to be removed."""

from collections.abc import Iterable, Sequence

from kanfunc.domain.errors import KanfuncError, NotFound, WaitTimeout, worst
from kanfunc.domain.flavour import Flavour
from kanfunc.domain.record import Verdict, own_record_of
from kanfunc.domain.world import Cluster, ClusterRef, Listed
from kanfunc.operations.release import release
from kanfunc.operations.selection import at_each, every_cluster, readable
from kanfunc.operations.waiting import wait_until
from kanfunc.ports import Fleet, Ports


def stand_down(
    fleet: Fleet, flavours: Sequence[Flavour], scope: Sequence[str | None], ports: Ports, seconds: float
) -> None:
    """Wait until no fence of ours stands anywhere in scope; end those that still do after `seconds`.

    Raises StillStanding for a fence whose cluster has lost its primary: lifted, the stale replica could be
    promoted. Whatever befalls one cluster, the others are stood down; then the worst failure is raised.
    """
    end = ports.clock.monotonic() + seconds
    failures: dict[ClusterRef, KanfuncError] = {}
    while standing := _standing(every_cluster(fleet, flavours, scope), failures, ports):

        def await_end(ref: ClusterRef) -> None:
            _await_end(standing[ref], ports, max(1.0, end - ports.clock.monotonic()))

        failures |= at_each(standing, await_end, ports, "not stood down")
    if failures:
        raise worst(list(failures.values()))
    ports.journal.step("nothing of ours stands")


def _standing(
    clusters: Iterable[Listed], failures: dict[ClusterRef, KanfuncError], ports: Ports
) -> dict[ClusterRef, Cluster]:
    """Those on which a fence of ours stands, without those that have failed; who cannot be read fails."""
    there = {cluster.ref: cluster for cluster in clusters if cluster.ref not in failures}
    found: dict[ClusterRef, Cluster] = {}

    def look(ref: ClusterRef) -> None:
        cluster = readable(there[ref])
        if _is_fenced(cluster):
            found[ref] = cluster

    failures |= at_each(there, look, ports, "not stood down")
    return found


def _is_fenced(cluster: Cluster) -> bool:
    record = own_record_of(cluster)
    return record is not None and (record.live or bool(record.owned_entries(cluster)))


def _await_end(cluster: Cluster, ports: Ports, seconds: float) -> None:
    ref = cluster.ref
    ports.journal.step("a fence stands", cluster=str(ref), waiting=seconds)
    try:
        wait_until(
            lambda left: ports.api.watch_cluster(ref, left),
            lambda now: not _is_fenced(now),
            clock=ports.clock,
            seconds=seconds,
            what=f"the end of the fence on {ref}",
            describe=lambda now: f"record {now.record_text}",
            remedy=f"kanfunc unfence --outcome failure -n {ref.namespace} --cluster {ref.name}",
        )
    except NotFound:
        return
    except WaitTimeout:
        _end(cluster, ports)


def _end(cluster: Cluster, ports: Ports) -> None:
    world = ports.api.world(cluster.ref)
    record = own_record_of(world.cluster)
    if record is None:
        return
    release(ports, world, record.id, Verdict.BROKEN, reason="kanfunc stood down")
    ports.api.announce(
        cluster,
        "FenceEnded",
        f"fence {record.id} of {record.instance} was ended because kanfunc stands down: a backup that was "
        "running is not proven",
        warning=True,
    )
