"""The product's verbs, as actors."""

from dataclasses import replace
from datetime import timedelta
from itertools import count

from kanfunc.domain.errors import StillStanding
from kanfunc.domain.record import Record, own_record_of
from kanfunc.domain.standing import OnPrimaryLost
from kanfunc.operations.coldstop import StopLimits
from kanfunc.operations.fence import FenceLimits, fence
from kanfunc.operations.guard import Guard, GuardLimits
from kanfunc.operations.unfence import Outcome, UnfenceLimits, Wait, unfence
from kanfunc.ports import Ports
from tests.machine import properties
from tests.machine.actors import Actor
from tests.machine.simulation import Simulation

HOOK_SECONDS = 20
FENCE_LIMITS = FenceLimits(
    deadline=timedelta(hours=1),
    max_age=timedelta(minutes=30),
    replay=30,
    stream=60,
    stop=StopLimits(hook=HOOK_SECONDS, stop=60),
)
UNFENCE_LIMITS = UnfenceLimits(
    snapshots=30,
    hook=HOOK_SECONDS,
    stream=60,
    wait=Wait.STREAMING,
    repeat_within=timedelta(minutes=20),
    on_primary_lost=OnPrimaryLost.HOLD,
)
GUARD_LIMITS = GuardLimits(patience=30, on_primary_lost=OnPrimaryLost.HOLD)
_numbers = count(1)


def start_fence(simulation: Simulation) -> Actor:
    """A new call, without any id of an earlier one."""
    fence_id = f"fence-{next(_numbers)}"

    def call(ports: Ports) -> tuple[Record, ...]:
        return fence([simulation.ref], fence_id, ports, FENCE_LIMITS)

    return Actor(simulation, fence_id, call)


def start_unfence(
    simulation: Simulation, outcome: Outcome, on_primary_lost: OnPrimaryLost = OnPrimaryLost.HOLD
) -> Actor:
    def call(ports: Ports) -> None:
        limits = replace(UNFENCE_LIMITS, on_primary_lost=on_primary_lost)
        unfence([simulation.ref], outcome, ports, limits)

    return Actor(simulation, f"unfence {outcome}", call)


def start_expiry(simulation: Simulation) -> Actor:
    """One look of the watchdog; a new one each time, for it, too, may be killed and started anew."""
    return Actor(simulation, "expiry", lambda ports: Guard(simulation.ref, ports, GUARD_LIMITS).look())


def check_end(simulation: Simulation, actor: Actor) -> None:
    """What a call that has ended by itself promises by its exit code."""
    if actor.exit_code is None or isinstance(actor.outcome, StillStanding):
        return
    if actor.label.startswith("fence-") and not actor.succeeded:
        properties.check_left(simulation, actor.label)
    if actor.label == f"unfence {Outcome.SUCCESS}" and actor.succeeded:
        record = own_record_of(simulation.cluster())
        assert record
        assert record.proof
        properties.check_copies(simulation, record.id, record.proof.digest, actor.listed, set(record.volumes))
