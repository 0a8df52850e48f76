"""status: what a cluster's own objects tell."""

from datetime import timedelta
from typing import Any

import pytest

from kanfunc.domain.codec import encode
from kanfunc.domain.flavour import RECORD_ANNOTATION
from kanfunc.domain.outcome import OUTCOME_ANNOTATION, RestoreOutcome
from kanfunc.domain.overview import Overview, overview
from kanfunc.domain.record import Record, State, Verdict
from tests.builders import FENCED, NOW, Scene, backup_manifest, healthy, proof, record
from tests.domain.spoiling import annotation

SEALED = NOW - timedelta(hours=3)


def held(**changes: Any) -> Record:
    """A backup that was proven three hours ago."""
    times = {
        "fenced": SEALED - timedelta(seconds=5),
        "sealed": SEALED,
        "ended": SEALED + timedelta(seconds=40),
    }
    return record(State.ENDED, verdict=Verdict.HELD, proof=proof(), **times, **changes)


def seen(found: Record | None = None, *entries: str, outcome: RestoreOutcome | None = None) -> Overview:
    scene: Scene = healthy()
    scene.backups.append(backup_manifest("theirs", instance="pg-3"))
    annotation("cluster", RECORD_ANNOTATION, encode(found) if found else None)(scene)
    annotation("cluster", FENCED, encode(list(entries)) if entries else None)(scene)
    annotation("cluster", OUTCOME_ANNOTATION, encode(outcome) if outcome else None)(scene)
    return overview(scene.world())


def test_quiet_cluster() -> None:
    found = seen()
    assert (found.elected, found.fences, found.last_proven, found.last_restore) == ("pg-2", (), None, None)
    assert "none that is known" in found.text()


def test_who_fenced_whom_since_when() -> None:
    ours, theirs, foreign = seen(record(fenced=NOW), "pg-2", "pg-3", "pg-1").fences
    assert (ours.instance, ours.by, ours.since) == ("pg-2", "kanfunc, fence fence-1 (sealed)", NOW)
    assert (theirs.by, theirs.since) == ("the operator's Backup theirs", None)
    assert (foreign.by, foreign.since) == ("somebody else", None)


def test_announced_fence_is_told_though_no_entry_is_there() -> None:
    [ours] = seen(record(State.PLACING)).fences
    assert (ours.since, ours.deadline) == (NOW, NOW + timedelta(hours=1))


def test_fence_past_its_deadline_is_told_in_capitals() -> None:
    assert "PAST ITS DEADLINE" in seen(record(deadline=NOW), "pg-2").text()
    assert "PAST ITS DEADLINE" not in seen(record(), "pg-2").text()


def test_last_proven_backup_has_age_position_and_time_fenced() -> None:
    found = seen(held())
    assert found.last_proven
    assert found.last_proven.fenced_seconds == 45
    assert "(3 h 0 min ago) at 0/98E4300 on pg-2, fenced for 45 s, fence fence-1" in found.text()


@pytest.mark.parametrize("verdict", [Verdict.BROKEN, Verdict.ROLLED_BACK])
def test_failed_backup_does_not_hide_the_one_that_was_proven(verdict: Verdict) -> None:
    before = held().last_proven
    found = seen(record(State.ENDED, verdict=verdict, id="fence-2", before=before))
    assert found.last_proven == before


def test_record_of_another_incarnation_is_nobodys_backup() -> None:
    found = seen(held(cluster_uid="source"))
    assert found.last_proven is None
    assert "NOT VERIFIED: kanfunc verify-restore -n prod --cluster pg" in found.text()


def outcome(**changes: Any) -> RestoreOutcome:
    values = {"cluster_uid": "uid-cluster", "proven": True, "checked": SEALED, "fence": "f",
              "end_of_wal": proof().end_of_wal}  # fmt: skip
    return RestoreOutcome(**{**values, **changes})


def test_last_restore() -> None:
    assert "proven 2026-11-23 06:00:00Z (3 h 0 min ago) at 0/98E4300" in seen(outcome=outcome()).text()
    assert "NOT PROVEN" in seen(outcome=outcome(proven=False, reason="no mark")).text()


def test_outcome_that_came_with_a_restore_point_is_not_ours() -> None:
    assert seen(outcome=outcome(cluster_uid="source")).last_restore is None


@pytest.mark.parametrize(("key", "text"), [(RECORD_ANNOTATION, "{"), (FENCED, "pg-2")])
def test_what_cannot_be_read_is_a_note(key: str, text: str) -> None:
    scene = healthy()
    annotation("cluster", key, text)(scene)
    found = overview(scene.world())
    assert "cannot be read" in found.text()
    assert found.elected == "pg-2"
