import pytest

from kanfunc.domain.snapshots import VolumeSnapshot, judge, since_seal, unseen
from tests.builders import record, snapshot_manifest

FENCE = record(volumes={"pg-2": "uid-pg-2", "pg-2-wal": "uid-pg-2-wal"}, older_snapshots=("uid-old",))
OTHERS = ("pg-1", "pg-3", "pg-3-wal")


def taken(name: str, claim: str, *, cut: bool = True) -> VolumeSnapshot:
    return VolumeSnapshot.from_manifest(snapshot_manifest(name, claim, cut=cut))


DATA, WAL = taken("data", "pg-2"), taken("wal", "pg-2-wal")
OLD = taken("old", "pg-2")


def test_each_volume_of_the_fenced_instance_cut_is_good() -> None:
    judgement = judge(FENCE, [DATA, WAL], OTHERS)
    assert judgement.good
    assert judgement.settled
    assert judgement.judged == ("uid-data", "uid-wal")


@pytest.mark.parametrize(
    ("snapshots", "why"),
    [
        ([], "no snapshot was taken of pg-2, pg-2-wal"),
        ([DATA], "no snapshot was taken of pg-2-wal"),
        ([OLD, WAL], "no snapshot was taken of pg-2 since the seal"),
        ([taken("x", "pg-22"), WAL], "no snapshot was taken of pg-2 since"),
        ([taken("x", ""), WAL], "no snapshot was taken of pg-2 since"),
        ([DATA, WAL, taken("x", "pg-3")], "instances that were not fenced were snapshotted: x of pg-3"),
        ([DATA, WAL, taken("x", "pg-1", cut=False)], "x of pg-1"),
        ([taken("x", "pg-3"), taken("y", "pg-3-wal")], "x of pg-3, y of pg-3-wal"),
    ],
)
def test_wrong_set_is_wrong_for_good(snapshots: list[VolumeSnapshot], why: str) -> None:
    judgement = judge(FENCE, snapshots, OTHERS)
    assert why in judgement.wrong
    assert judgement.settled
    assert not judgement.good


@pytest.mark.parametrize(
    ("snapshots", "names"),
    [
        ([taken("data", "pg-2", cut=False), WAL], ("data",)),
        ([taken("data", "pg-2", cut=False), taken("wal", "pg-2-wal", cut=False)], ("data", "wal")),
        ([DATA, WAL, taken("again", "pg-2", cut=False)], ("again",)),
    ],
)
def test_snapshot_that_is_not_cut_is_waited_for(
    snapshots: list[VolumeSnapshot], names: tuple[str, ...]
) -> None:
    judgement = judge(FENCE, snapshots, OTHERS)
    assert judgement.waiting_for == names
    assert not judgement.good
    assert not judgement.settled


@pytest.mark.parametrize(
    "more",
    [
        [taken("again", "pg-2")],
        [OLD],
        [taken("old", "pg-3")],
        [taken("x", "of-an-application")],
        [taken("x", "of-an-application", cut=False)],
    ],
    ids=["cut twice", "older one", "older one of another", "another application's", "that one uncut"],
)
def test_these_do_not_matter(more: list[VolumeSnapshot]) -> None:
    assert judge(FENCE, [DATA, WAL, *more], OTHERS).good


def test_what_was_judged_includes_the_foreign_ones() -> None:
    assert judge(FENCE, [DATA, taken("x", "pg-3"), OLD], OTHERS).judged == ("uid-data", "uid-x")


def test_older_ones_are_told_by_identity() -> None:
    assert since_seal(FENCE, [OLD, DATA]) == (DATA,)


def test_later_snapshots_of_the_cluster_are_unseen() -> None:
    judged = FENCE.but(judged_snapshots=("uid-data", "uid-wal"))
    assert unseen(judged, [OLD, DATA, WAL], OTHERS) == ()
    later = [taken("later", "pg-2"), taken("other", "pg-3"), taken("foreign", "of-an-application")]
    assert unseen(judged, [DATA, WAL, *later], OTHERS) == ("later", "other")


def test_later_snapshot_of_a_volume_that_is_gone_is_unseen_too() -> None:
    assert unseen(FENCE.but(judged_snapshots=()), [DATA], ()) == ("data",)


@pytest.mark.parametrize("status", [{}, None, {"creationTime": None}, {"readyToUse": False}])
def test_snapshot_without_a_time_is_not_cut(status: object) -> None:
    manifest = snapshot_manifest("data", "pg-2") | {"status": status}
    assert not VolumeSnapshot.from_manifest(manifest).cut


def test_snapshot_of_pre_existing_content_has_no_claim() -> None:
    manifest = snapshot_manifest("data", "pg-2") | {"spec": {"source": {"volumeSnapshotContentName": "c"}}}
    assert VolumeSnapshot.from_manifest(manifest).claim == ""


def test_failure_of_the_driver_is_read() -> None:
    manifest = snapshot_manifest("data", "pg-2", cut=False)
    manifest["status"] = {"error": {"message": "quota", "time": "2026-11-23T09:05:00Z"}}
    snapshot = VolumeSnapshot.from_manifest(manifest)
    assert (snapshot.cut, snapshot.error) == (False, "quota")
