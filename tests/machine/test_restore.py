"""What a restore carries along: marks, records and fences of another incarnation."""

import pytest

from kanfunc.domain.record import own_record_of, record_of
from kanfunc.operations.unfence import Outcome
from tests.machine import properties
from tests.machine.calls import check_end, start_expiry, start_fence, start_unfence
from tests.machine.engine import Engine
from tests.machine.restored import check_report, restore, start_verify
from tests.machine.simulation import Simulation


def backed_up() -> tuple[Simulation, Engine]:
    """The cluster with its fence still standing, and the copy that was taken under it."""
    simulation = Simulation()
    assert start_fence(simulation).finish().succeeded
    uid = simulation.snapshot("pg-2")
    return simulation, simulation.truth.copies[uid][1]


def verified(simulation: Simulation, copy: Engine) -> bool:
    actor = start_verify(simulation).finish()
    assert actor.exit_code == 0, actor.outcome
    check_report(copy, actor.outcome)
    return bool(actor.outcome.proven)


@pytest.mark.parametrize("captured", [True, False])
def test_cold_copy_is_proven_and_what_came_along_is_cleared(captured: bool) -> None:  # noqa: FBT001
    source, copy = backed_up()
    new = restore(source, copy, captured=captured)
    assert (record_of(new.cluster()) is not None) is captured
    assert verified(new, copy)
    assert record_of(new.cluster()) is None
    assert new.fenced == []
    assert verified(new, copy)  # the verdict is quoted


@pytest.mark.parametrize("start", [start_expiry, lambda new: start_unfence(new, Outcome.FAILURE)])
def test_relic_is_ignored(start: object) -> None:
    source, copy = backed_up()
    new = restore(source, copy, captured=True)
    before = new.cluster().annotations
    assert callable(start)
    assert start(new).finish().exit_code == 0
    assert new.cluster().annotations == before


def test_fence_that_came_along_is_somebody_elses_to_the_next_backup() -> None:
    source, copy = backed_up()
    new = restore(source, copy, captured=True)
    assert start_fence(new).finish().exit_code == 3
    assert verified(new, copy)
    new.tick()
    assert start_fence(new).finish().succeeded


def test_backup_of_the_new_incarnation_replaces_the_relic() -> None:
    source, copy = backed_up()
    new = restore(source, copy, captured=True)
    new.write_fences([])
    new.tick()
    assert start_fence(new).finish().succeeded
    record = own_record_of(new.cluster())
    assert record
    assert record.live


def test_hot_copy_of_a_volume_that_was_released_is_not_proven() -> None:
    source, _ = backed_up()
    assert start_unfence(source, Outcome.SUCCESS).finish().succeeded
    source.commit()
    copy = source.engines["pg-2"].copied()
    assert not verified(restore(source, copy, captured=False), copy)


@pytest.mark.parametrize("commits", [0, 1])
def test_old_mark_on_a_volume_that_ran_on_proves_nothing(commits: int) -> None:
    source, copy = backed_up()
    first = restore(source, copy, captured=False)
    for _ in range(commits):
        first.commit()
    hot = first.engines["pg-2"].copied()
    assert hot.marks
    assert not verified(restore(first, hot, captured=False), hot)


def test_verification_may_be_killed_anywhere_and_repeated() -> None:
    source, copy = backed_up()
    steps = 0
    while True:
        steps += 1
        new = restore(source, copy, captured=True)
        actor = start_verify(new)
        for _ in range(steps):
            actor.advance()
        if actor.ended:
            break
        actor.kill()
        assert verified(new, copy)
    assert steps > 15


def test_backup_goes_on_while_its_copy_is_restored() -> None:
    source, copy = backed_up()
    assert verified(restore(source, copy, captured=True), copy)
    actor = start_unfence(source, Outcome.SUCCESS).finish()
    check_end(source, actor)
    assert actor.succeeded
    properties.check_nothing_stands(source)
