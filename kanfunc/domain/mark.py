"""Files beside PGDATA in the root of every volume: the mark of a fence, and the verdict of a restore."""

import msgspec

from kanfunc.domain.codec import Instant, Malformed, decode
from kanfunc.domain.record import Proof

MARK_FILE = "kanfunc-mark.json"
VERDICT_FILE = "kanfunc-verified.json"


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """Written and fsynced while the instance is stopped, so that the snapshot carries it. UTC times."""

    id: str
    cluster_uid: str
    namespace: str
    cluster: str
    instance: str
    proof: Proof
    written: Instant
    kanfunc: str


class VerifiedMark(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of a mark once the restore has been verified; later runs quote it."""

    mark: Mark
    cluster_uid: str
    volumes: dict[str, str]
    """Claim name -> claim UID of the volumes that carry this verdict."""
    continued: Instant
    """When the database went on from the fence point in this restore (promotion, or first commit)."""
    verified: Instant


class Inscription(msgspec.Struct, frozen=True, kw_only=True):
    """The files of ours in the root of one volume, as text; empty where there is none."""

    mark: str = ""
    verdict: str = ""


def read_mark(text: str) -> Mark | None:
    """The mark; None where there is none or it cannot be read (an edited mark is no mark)."""
    try:
        return decode(text, Mark)
    except Malformed:
        return None


def read_verdict(text: str) -> VerifiedMark | None:
    """The verdict; None where there is none or it cannot be read."""
    try:
        return decode(text, VerifiedMark)
    except Malformed:
        return None
