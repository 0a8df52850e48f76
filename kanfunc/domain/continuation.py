"""Does the restored database continue exactly the fence point, and since this restore? Pure judgement."""

from datetime import datetime, timedelta

from kanfunc.domain.finding import Finding, Status, compare
from kanfunc.domain.lsn import Lsn
from kanfunc.domain.mark import VerifiedMark
from kanfunc.domain.record import Proof
from kanfunc.domain.restoration import Adopted
from kanfunc.domain.timeline import PrimaryFacts, PromotionFacts, ResumptionFacts, switch_from


def same_database(proof: Proof, facts: PrimaryFacts) -> list[Finding]:
    """Is it the database that was fenced, with the transaction that the fence committed?"""
    return [
        compare("system identifier", facts.system_identifier, proof.system_identifier,
                bad="this is another database"),
        compare("marked transaction", f"xid {proof.xid}: {facts.xid_status or 'unknown'}",
                f"xid {proof.xid}: committed",
                bad="the transaction that the fence committed on the primary is not in this database"),
    ]  # fmt: skip


def end_point(proof: Proof, facts: PrimaryFacts) -> Finding:
    """Was the timeline left exactly where the WAL of the fenced instance ended?"""
    switch = switch_from(proof.timeline, facts)
    expected = f"timeline {proof.timeline} ends at {proof.end_of_wal}"
    if switch is None:
        return Finding(
            check="end point", status=Status.FAILED, expected=expected,
            found=f"timeline {facts.timeline} goes on without a promotion from timeline {proof.timeline}",
            meaning="not provable: the copy was started by crash recovery, not promoted from the fence point",
        )  # fmt: skip
    meaning = "WAL that the fenced instance held is missing from the restore"
    if switch.position > proof.end_of_wal:
        meaning = (
            "the restore went past the fence point: it found more WAL, most likely in a reachable archive. "
            "Restore again without it (remove /spec/backup and /spec/plugins by a transform)"
        )
    return compare("end point", f"timeline {proof.timeline} ends at {switch.position}", expected, bad=meaning)


def promoted_here(adopted: Adopted, facts: PromotionFacts, tolerance: timedelta) -> Finding:
    """Did the promotion at the fence point happen in this restore, and not before the volume was made?

    A mark survives on a volume that runs again; a later hot copy of it would pass everything else.
    """
    lost = "the history file of the new timeline is gone from the adopted volume"
    return _since_restore("promoted in this restore", "promotion", facts.at, adopted, tolerance, lost=lost)


def never_promoted() -> Finding:
    """The finding where there is no promotion whose time could be asked."""
    return Finding(
        check="promoted in this restore", status=Status.NOT_CHECKED, found="there was no promotion",
        expected="a promotion at the fence point", meaning="see end point",
    )  # fmt: skip


def stopped_point(proof: Proof, facts: PrimaryFacts, resumption: ResumptionFacts) -> Finding:
    """A fenced primary goes on without a new timeline: its shutdown checkpoint must stand in the WAL."""
    expected = f"the shutdown checkpoint at {proof.shutdown_checkpoint} in timeline {proof.timeline}"
    switch = switch_from(proof.timeline, facts)
    stands = "CHECKPOINT_SHUTDOWN" in resumption.checkpoint and (
        f"lsn: {_padded(proof.shutdown_checkpoint)}," in resumption.checkpoint
    )
    descends = switch.position >= proof.end_of_wal if switch else facts.timeline == proof.timeline
    return compare(
        "end point", expected if stands else resumption.checkpoint or "no such record", expected,
        good=stands and descends,
        bad="not provable: the WAL of the fence point is gone from the adopted volume, or is another's",
    )  # fmt: skip


def resumed_here(adopted: Adopted, facts: ResumptionFacts, tolerance: timedelta) -> Finding:
    """Did the first commit after the fence point happen in this restore?

    A volume that ran on with an old mark has commits from before it was copied.
    """
    lost = "no commit follows the fence point in the WAL of the adopted volume"
    return _since_restore("resumed in this restore", "first commit", facts.at, adopted, tolerance, lost=lost)


def earlier_verdict(verdict: VerifiedMark) -> Finding:
    """The finding that quotes what an earlier run proved on these very volumes."""
    return Finding(
        check="continued in this restore", status=Status.PASSED,
        found=f"proven on {verdict.verified:%Y-%m-%d %H:%M:%SZ}: continued since "
        f"{verdict.continued:%Y-%m-%d %H:%M:%SZ}",
        expected="an earlier verdict on these volumes of this Cluster",
    )  # fmt: skip


def _since_restore(
    check: str, what: str, at: datetime | None, adopted: Adopted, tolerance: timedelta, *, lost: str
) -> Finding:
    created = adopted.data_volume.created
    expected = f"{what} after {created:%Y-%m-%d %H:%M:%SZ}, when volume {adopted.data_volume.name} was made"
    expected += f" (clocks may differ by {tolerance.total_seconds():g} s)"
    if at is None:
        return Finding(
            check=check,
            status=Status.FAILED,
            found=f"no trace of the {what}",
            expected=expected,
            meaning=lost,
        )
    return compare(
        check, f"{what} at {at:%Y-%m-%d %H:%M:%SZ}", expected, good=at >= created - tolerance,
        bad="the mark is an old one: this volume was restored before, ran on, and was copied hot",
    )  # fmt: skip


def _padded(position: Lsn | None) -> str:
    """As pg_waldump prints positions: the lower half with leading zeros."""
    return f"{position >> 32:X}/{position & 0xFFFFFFFF:08X}" if position is not None else "none"
