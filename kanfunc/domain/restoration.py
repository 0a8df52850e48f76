"""Is the restored cluster the continuation of the fence point? Pure judgement of measured facts."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

from kanfunc.domain.finding import Finding, Status, compare
from kanfunc.domain.mark import Inscription, Mark, VerifiedMark, read_mark, read_verdict
from kanfunc.domain.timeline import PrimaryFacts
from kanfunc.domain.world import Cluster, Instance, Volume

T = TypeVar("T")


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
        compare("mark", mark.id, " and ".join(wanted) or mark.id,
                 good=not wanted or wanted == [mark.id],
                 bad="the restored volumes are those of another fence"),
        compare("cluster", mark.cluster, cluster.ref.name, bad="the volumes are those of another cluster"),
        compare("incarnation", f"mark of Cluster UID {mark.cluster_uid}",
                 f"a UID other than this Cluster's own {cluster.uid}",
                 good=mark.cluster_uid != cluster.uid,
                 bad="the mark was written in this very cluster: nothing was restored since"),
    ]  # fmt: skip
