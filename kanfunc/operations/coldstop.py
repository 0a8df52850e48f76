"""Stopping the elected instance through the operator, and proving from its files that the stop was clean."""

from dataclasses import dataclass

from kanfunc.domain.coldness import COLD_PRIMARY, COLD_STANDBY, end_of_wal
from kanfunc.domain.errors import ExecFailed, Unproven, WaitTimeout
from kanfunc.domain.facts import Bound, Stopped
from kanfunc.domain.preflight import Plan
from kanfunc.domain.record import Proof, Record
from kanfunc.operations.placement import place_fence
from kanfunc.ports import Ports


@dataclass(frozen=True)
class StopLimits:
    """Seconds for the operator's command, and for PostgreSQL to stop after it."""

    hook: float
    stop: float


def stop_and_prove(plan: Plan, placed: Record, bound: Bound, ports: Ports, limits: StopLimits) -> Proof:
    """Fence the instance and return what its files prove; raises where they do not."""
    place_fence(plan, placed, ports, limits.hook)
    stopped = _await_stopped(plan, ports, limits)
    proof = _prove(plan, stopped, bound, placed)
    ports.journal.step(
        "cold",
        cluster=str(plan.ref),
        instance=plan.instance.name,
        state=stopped.control.state,
        end_of_wal=proof.end_of_wal,
        bound=proof.bound,
    )
    return proof


def _await_stopped(plan: Plan, ports: Ports, limits: StopLimits) -> Stopped:
    try:
        return ports.shell.await_stopped(plan.ref, plan.instance.name, limits.stop)
    except ExecFailed as error:
        if not error.timed_out:
            raise
        raise WaitTimeout(
            f"PostgreSQL on {plan.instance.name} still runs {limits.stop:g} s after it was fenced",
            expected="no postmaster",
            remedy="a fast shutdown may take up to spec.switchoverDelay (default 3600 s): see what "
            "it waits for, or raise --stop-timeout",
        ) from error


def _prove(plan: Plan, stopped: Stopped, bound: Bound, placed: Record) -> Proof:
    """Cleanly shut down, and holding all that the primary had committed when the fence began."""
    control = stopped.control
    cold = COLD_PRIMARY if plan.stops_primary else COLD_STANDBY
    if control.state != cold:
        raise Unproven(
            f"{plan.instance.name} stopped in state {control.state!r}",
            expected=f"{cold!r}: only a clean shutdown leaves everything on disk",
            remedy="see the instance's log: an immediate shutdown follows when spec.switchoverDelay runs out",
        )
    end = end_of_wal(control, stopped.wal)
    if end < bound.flushed:
        raise Unproven(
            f"the WAL of {plan.instance.name} ends at {end}, {bound.flushed - end} bytes before the bound",
            expected=f"at least {bound.flushed}, which it had replayed",
            remedy="the volume may have lost writes: check its storage before trusting this replica",
        )
    return Proof(
        bound=bound.flushed,
        bound_at=placed.started,
        xid=bound.xid,
        replay_seconds=bound.replay_seconds,
        end_of_wal=end,
        minimum_recovery=control.minimum_recovery,
        shutdown_checkpoint=control.checkpoint if plan.stops_primary else None,
        timeline=control.timeline,
        system_identifier=control.system_identifier,
        digest=stopped.digest,
        control_version=control.version,
        server_version=stopped.version,
    )
