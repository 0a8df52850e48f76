"""Ending fences that outlived their deadline: whoever placed them died, or its hook was never called."""

from kanfunc.domain.record import Verdict, own_record_of
from kanfunc.domain.world import ClusterRef
from kanfunc.operations.release import release
from kanfunc.ports import Ports


def end_expired(ref: ClusterRef, ports: Ports) -> bool:
    """End the fence of ours on this cluster if its deadline is over, by the API server's clock.

    True when it was ended. A verdict that was given already stays; otherwise the fence counts as broken.
    """
    cluster = ports.api.cluster(ref)
    record = own_record_of(cluster)
    if record is None or not record.live or cluster.read_at < record.deadline:
        return False
    ports.journal.warn("deadline passed", cluster=str(ref), fence=record.id, state=record.state)
    release(ports, ref, record.id, Verdict.BROKEN)
    ports.api.announce(
        cluster,
        "FenceExpired",
        f"fence {record.id} of {record.instance} was ended at its deadline {record.deadline:%H:%M:%SZ}: "
        "a backup that was running is not proven",
        warning=True,
    )
    return True
