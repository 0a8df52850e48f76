"""Ending what outlived its call: fences past their deadline, entries that came after a roll-back."""

from kanfunc.domain.record import Verdict, own_record_of
from kanfunc.domain.world import ClusterRef
from kanfunc.operations.release import release
from kanfunc.ports import Ports


def end_expired(ref: ClusterRef, ports: Ports) -> bool:
    """End the fence of ours on this cluster if its deadline is over, by the API server's clock.

    Whoever placed it died, or its hook was never called. An entry that an operator's command wrote after its
    fence had ended goes at once. True when something was ended; a verdict that was given already stays.
    """
    cluster = ports.api.cluster(ref)
    record = own_record_of(cluster)
    if record is None or (record.live and cluster.read_at < record.deadline):
        return False
    if not record.live and not record.owned_entries(cluster):
        return False
    what = "deadline passed" if record.live else "late entry"
    ports.journal.warn(what, cluster=str(ref), fence=record.id, state=record.state)
    world = ports.api.world(ref, cluster)
    release(
        ports, world, record.id, Verdict.BROKEN, reason=f"its deadline {record.deadline:%H:%M:%SZ} passed"
    )
    ports.api.announce(
        cluster,
        "FenceExpired",
        f"fence {record.id} of {record.instance} was ended by the watchdog (deadline "
        f"{record.deadline:%H:%M:%SZ}): a backup that was running is not proven",
        warning=True,
    )
    return True
