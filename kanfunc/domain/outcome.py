"""What became of a restore, written on the Cluster for whoever asks later. No decision reads it."""

import msgspec

from kanfunc.domain.codec import Instant, Malformed, decode, encode
from kanfunc.domain.flavour import OWN_PREFIX
from kanfunc.domain.lsn import Lsn
from kanfunc.domain.record import Changes
from kanfunc.domain.world import Cluster

OUTCOME_ANNOTATION = f"{OWN_PREFIX}/restore"


class RestoreOutcome(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The last verification of this incarnation of a Cluster. `checked` is the API server's clock."""

    cluster_uid: str
    proven: bool
    checked: Instant
    fence: str | None = None
    end_of_wal: Lsn | None = None
    reason: str | None = None
    """Why it is not proven."""


def own_outcome_of(cluster: Cluster) -> RestoreOutcome | None:
    """Of this very incarnation: one that came with a restore point is another's."""
    text = cluster.annotations.get(OUTCOME_ANNOTATION)
    try:
        outcome = decode(text, RestoreOutcome) if text else None
    except Malformed:
        return None
    return outcome if outcome and outcome.cluster_uid == cluster.uid else None


def kept(outcome: RestoreOutcome) -> Changes:
    """The change that stores it."""
    return {OUTCOME_ANNOTATION: encode(outcome)}
