"""Is the restored cluster the continuation of the fence point? Pure judgement of measured facts."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TypeVar

import msgspec

from kanfunc.domain.mark import Inscription, Mark, VerifiedMark, read_mark, read_verdict
from kanfunc.domain.record import Proof
from kanfunc.domain.timeline import PrimaryFacts, PromotionFacts, switch_from
from kanfunc.domain.world import Cluster, Instance, Volume

T = TypeVar("T")


class Status(StrEnum):
    """Outcome of one check."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_CHECKED = "not checked"


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One check of the restored cluster: what was found, against what was expected."""

    check: str
    status: Status
    found: str
    expected: str = ""
    meaning: str = ""

    @property
    def passed(self) -> bool:
        """Whether this check was made and is good."""
        return self.status is Status.PASSED


@dataclass(frozen=True)
class Adopted:
    """The instance whose volumes carry the mark, or this incarnation's verdict (`earlier`)."""

    instance: Instance
    volumes: tuple[Volume, ...]
    mark: Mark
    earlier: VerifiedMark | None

    @property
    def data_volume(self) -> Volume:
        """The volume of PGDATA."""
        return next((v for v in self.volumes if v.role == "PG_DATA"), self.volumes[0])


Inscriptions = dict[str, Inscription]
"""Claim name -> what stands in the root of that volume."""


def adopted_of(
    cluster: Cluster, instance: Instance, volumes: tuple[Volume, ...], files: Inscriptions
) -> Adopted | None:
    """The instance as adopted, when every volume of it carries one and the same mark or verdict."""
    verdict = _common([read_verdict(files[volume.name].verdict) for volume in volumes])
    if verdict and _of_this_incarnation(verdict, cluster, volumes):
        return Adopted(instance, volumes, verdict.mark, verdict)
    mark = _common([_mark_of(files[volume.name], cluster) for volume in volumes])
    return Adopted(instance, volumes, mark, None) if mark else None


def _common(values: list[T | None]) -> T | None:
    """The one value that stands in all places; None when they differ or there are none."""
    return values[0] if values and all(value == values[0] for value in values) else None


def _mark_of(files: Inscription, cluster: Cluster) -> Mark | None:
    """The mark, also where a killed run has already turned it into a verdict of this incarnation."""
    if mark := read_mark(files.mark):
        return mark
    verdict = read_verdict(files.verdict)
    return verdict.mark if verdict and verdict.cluster_uid == cluster.uid else None


def _of_this_incarnation(verdict: VerifiedMark, cluster: Cluster, volumes: Iterable[Volume]) -> bool:
    return verdict.cluster_uid == cluster.uid and verdict.volumes == {v.name: v.uid for v in volumes}


def no_mark(
    files: Iterable[Inscription], facts: PrimaryFacts, volumes: Iterable[Volume], tolerance: timedelta
) -> Finding:
    """The finding when no instance carries one mark on all its volumes; `volumes` are the primary's."""
    partial = any(inscription.mark for inscription in files)
    found = list(volumes)
    fresh = bool(found) and all(facts.initialised >= volume.created - tolerance for volume in found)
    meaning = "this was not a cold backup: nothing proves that PostgreSQL was stopped when it was copied"
    if partial:
        meaning = "the volumes of the restored instance are not of one fence: " + meaning
    elif fresh:
        meaning = (
            "no volume was adopted: this is a new, empty database that the operator initialised on "
            f"{facts.initialised:%Y-%m-%d %H:%M:%SZ}, after its volumes were made. A restore that lost the "
            "annotations of its volumes ends like this; restore again with them"
        )
    return Finding(
        check="mark",
        status=Status.FAILED,
        found="marks on some volumes only, or different ones" if partial else "no mark on any volume",
        expected="one mark, the same on every volume of the restored instance",
        meaning=meaning,
    )


def identify(adopted: Adopted, cluster: Cluster, expected_ids: Iterable[str]) -> list[Finding]:
    """Is the mark one that this restore may carry: the expected fence, this cluster, another incarnation?"""
    mark, wanted = adopted.mark, sorted(set(expected_ids))
    return [
        _finding("mark", mark.id, " and ".join(wanted) or mark.id,
                 good=not wanted or wanted == [mark.id],
                 bad="the restored volumes are those of another fence"),
        _finding("cluster", mark.cluster, cluster.ref.name, bad="the volumes are those of another cluster"),
        _finding("incarnation", f"mark of Cluster UID {mark.cluster_uid}",
                 f"a UID other than this Cluster's own {cluster.uid}",
                 good=mark.cluster_uid != cluster.uid,
                 bad="the mark was written in this very cluster: nothing was restored since"),
    ]  # fmt: skip


def continue_from(proof: Proof, facts: PrimaryFacts) -> list[Finding]:
    """Does the restored database continue exactly the fence point?"""
    return [
        _finding("system identifier", facts.system_identifier, proof.system_identifier,
                 bad="this is another database"),
        _end_point(proof, facts),
        _finding("marked transaction", f"xid {proof.xid}: {facts.xid_status or 'unknown'}",
                 f"xid {proof.xid}: committed",
                 bad="the transaction that the fence committed on the primary is not in this database"),
    ]  # fmt: skip


def _end_point(proof: Proof, facts: PrimaryFacts) -> Finding:
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
    return _finding(
        "end point", f"timeline {proof.timeline} ends at {switch.position}", expected, bad=meaning
    )


def promoted_here(adopted: Adopted, facts: PromotionFacts, tolerance: timedelta) -> Finding:
    """Did the promotion at the fence point happen in this restore, and not before the volume was made?

    A mark survives on a volume that runs again; a later hot copy of it would pass everything else.
    """
    created, at = adopted.data_volume.created, facts.at
    expected = (
        f"promotion after {created:%Y-%m-%d %H:%M:%SZ}, when volume {adopted.data_volume.name} was made"
    )
    expected += f" (clocks may differ by {tolerance.total_seconds():g} s)"
    if at is None:
        return Finding(
            check="promoted in this restore", status=Status.FAILED, found="no trace of the promotion",
            expected=expected, meaning="the history file of the new timeline is gone from the adopted volume",
        )  # fmt: skip
    return _finding("promoted in this restore", f"promotion at {at:%Y-%m-%d %H:%M:%SZ}", expected,
                    good=at >= created - tolerance,
                    bad="the mark is an old one: this volume was restored before, ran on, and was copied hot"
                    )  # fmt: skip


def earlier_verdict(verdict: VerifiedMark) -> Finding:
    """The finding that quotes what an earlier run proved on these very volumes."""
    return Finding(
        check="promoted in this restore", status=Status.PASSED,
        found=f"proven on {verdict.verified:%Y-%m-%d %H:%M:%SZ}: promotion at "
        f"{verdict.promoted:%Y-%m-%d %H:%M:%SZ}",
        expected="an earlier verdict on these volumes of this Cluster",
    )  # fmt: skip


def _finding(check: str, found: str, expected: str, *, bad: str, good: bool | None = None) -> Finding:
    passed = found == expected if good is None else good
    status = Status.PASSED if passed else Status.FAILED
    return Finding(
        check=check, status=status, found=found, expected=expected, meaning="" if passed else bad
    )  # fmt: skip
