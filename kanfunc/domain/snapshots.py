"""Judging the VolumeSnapshots that were taken while a fence stood."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from kanfunc.domain.manifest import Manifest, mapping_in, text_in
from kanfunc.domain.record import Record


@dataclass(frozen=True)
class VolumeSnapshot:
    """A VolumeSnapshot. It is `cut` once its status names the time at which the data was frozen."""

    name: str
    uid: str
    claim: str
    cut: bool
    error: str

    @classmethod
    def from_manifest(cls, manifest: Manifest) -> Self:
        """Of the API server's JSON (snapshot.storage.k8s.io/v1).

        All of a namespace are read together, so one of an odd shape must not spoil another cluster's: it is
        of no volume, or not cut.
        """
        source, status = mapping_in(mapping_in(manifest, "spec"), "source"), mapping_in(manifest, "status")
        return cls(
            name=manifest["metadata"]["name"],
            uid=manifest["metadata"]["uid"],
            claim=text_in(source, "persistentVolumeClaimName"),
            cut=bool(text_in(status, "creationTime")),
            error=text_in(mapping_in(status, "error"), "message"),
        )


@dataclass(frozen=True)
class Judgement:
    """good: the set is right. waiting_for: names of those not cut yet. wrong: why it can never be right."""

    judged: tuple[str, ...]
    waiting_for: tuple[str, ...] = ()
    wrong: str = ""

    @property
    def good(self) -> bool:
        """Every snapshot is cut, every volume has one, no other instance's volume has."""
        return not self.wrong and not self.waiting_for

    @property
    def settled(self) -> bool:
        """Waiting longer changes nothing."""
        return bool(self.wrong) or not self.waiting_for


def since_seal(record: Record, snapshots: Iterable[VolumeSnapshot]) -> tuple[VolumeSnapshot, ...]:
    """The snapshots that did not exist yet when the fence was sealed.

    By identity, not by time: timestamps are whole seconds of possibly different clocks.
    """
    return tuple(snapshot for snapshot in snapshots if snapshot.uid not in record.older_snapshots)


def judge(record: Record, snapshots: Iterable[VolumeSnapshot], other_claims: Iterable[str]) -> Judgement:
    """Are the snapshots taken since the seal of exactly the fenced instance's volumes, and all cut?

    other_claims: names of the claims of the cluster's other instances.
    """
    others = set(other_claims)
    new = since_seal(record, snapshots)
    ours = [snapshot for snapshot in new if snapshot.claim in record.volumes]
    foreign = [snapshot for snapshot in new if snapshot.claim in others]
    judged = tuple(sorted(snapshot.uid for snapshot in (*ours, *foreign)))
    if foreign:
        taken = ", ".join(f"{snapshot.name} of {snapshot.claim}" for snapshot in foreign)
        return Judgement(judged, wrong=f"volumes of instances that were not fenced were snapshotted: {taken}")
    if missing := sorted(set(record.volumes) - {snapshot.claim for snapshot in ours}):
        return Judgement(judged, wrong=f"no snapshot was taken of {', '.join(missing)} since the seal")
    return Judgement(judged, waiting_for=tuple(snapshot.name for snapshot in ours if not snapshot.cut))


def unseen(record: Record, snapshots: Iterable[VolumeSnapshot], claims: Iterable[str]) -> tuple[str, ...]:
    """Names of the cluster's snapshots that came after those the verdict was judged on."""
    known, of_cluster = set(record.judged_snapshots or ()), set(claims) | set(record.volumes)
    new = since_seal(record, snapshots)
    return tuple(s.name for s in new if s.claim in of_cluster and s.uid not in known)
