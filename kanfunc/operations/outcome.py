"""Keeping what became of a restore on its Cluster, for `status` and monitoring."""

from kanfunc.domain.mark import Mark
from kanfunc.domain.outcome import RestoreOutcome, kept
from kanfunc.domain.record import Changes
from kanfunc.domain.world import Cluster, ClusterRef
from kanfunc.operations.waiting import note
from kanfunc.ports import Ports

_REASON = 500
"""Characters: an annotation is no place for a report."""


def keep_outcome(ref: ClusterRef, ports: Ports, *, reason: str | None, mark: Mark | None = None) -> None:
    """Write it down; reason: why it is not proven, None where it is.

    It is news: the verdict stands without it.
    """

    def decide(cluster: Cluster) -> Changes:
        return kept(
            RestoreOutcome(
                cluster_uid=cluster.uid,
                proven=reason is None,
                checked=cluster.read_at,
                fence=mark.id if mark else None,
                end_of_wal=mark.proof.end_of_wal if mark else None,
                reason=reason[:_REASON] if reason else None,
            )
        )

    note(ports, ref, decide)
