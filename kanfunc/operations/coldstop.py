"""Stopping the elected instance through the operator, and proving from its files that the stop was clean."""

from dataclasses import dataclass
from datetime import timedelta

from kanfunc.domain.coldness import COLD_STANDBY, end_of_wal
from kanfunc.domain.errors import ExecFailed, Refused, Unproven, WaitTimeout
from kanfunc.domain.preflight import Plan
from kanfunc.domain.record import Changes, Late, Proof, Record, State, own_record_of, written
from kanfunc.domain.world import Cluster
from kanfunc.operations.release import run_afterwards
from kanfunc.operations.waiting import edit, wait_until
from kanfunc.ports import Bound, Ports, Stopped

_LATE_MARGIN = timedelta(seconds=60)
"""A command that was ended at its limit is given this much longer to have had its effect."""


@dataclass(frozen=True)
class StopLimits:
    """Seconds for the operator's command, and for PostgreSQL to stop after it."""

    hook: float
    stop: float


def stop_and_prove(plan: Plan, placed: Record, bound: Bound, ports: Ports, limits: StopLimits) -> Proof:
    """Fence the instance and return what its files prove; raises where they do not."""
    _expect_entry(plan, placed, ports, limits)
    _run_hook(plan, ports, limits)
    _await_entry(plan, placed, ports, limits)
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


def _expect_entry(plan: Plan, placed: Record, ports: Ports, limits: StopLimits) -> None:
    """Look once more that the record is ours and the list free, and write down that an entry may come now.

    From this patch on an entry for the instance counts as ours, even if this process dies in the command.
    """

    def decide(cluster: Cluster) -> Changes:
        record = _own(cluster, placed)
        if cluster.fenced:
            raise Refused(
                f"{', '.join(cluster.fenced.entries)} of Cluster {plan.ref} was fenced meanwhile, not by us",
                expected=f"an empty {cluster.flavour.fenced_instances}",
                remedy="ask who fenced it; run again when the entry is gone",
            )
        until = cluster.read_at + timedelta(seconds=limits.hook) + _LATE_MARGIN
        expected = Late(instance=plan.instance.name, until=until)
        return written(record.but(late=(*record.late_of_others(plan.instance.name), expected)))

    edit(ports.api, plan.ref, decide)


def _run_hook(plan: Plan, ports: Ports, limits: StopLimits) -> None:
    try:
        ports.shell.run_hook(plan.ref, plan.instance.name, plan.hooks.pre_backup, limits.hook)
    except ExecFailed:
        run_afterwards(ports, plan.ref, plan.instance.name, plan.hooks.on_error, limits.hook)
        raise


def _await_entry(plan: Plan, placed: Record, ports: Ports, limits: StopLimits) -> None:
    """The operator's command has set the entry, or will in a moment: then the fence is placed, and ours."""
    wait_until(
        lambda seconds: ports.api.watch_cluster(plan.ref, seconds),
        lambda cluster: cluster.fenced.names(plan.instance.name),
        clock=ports.clock,
        seconds=limits.hook,
        what=f"the fence entry for {plan.instance.name} on Cluster {plan.ref}",
        describe=lambda cluster: f"fenced: {', '.join(cluster.fenced.entries) or 'nobody'}",
    )

    def decide(cluster: Cluster) -> Changes:
        record = _own(cluster, placed)
        if record.state is not State.PLACING:
            return {}
        return written(record.but(state=State.FENCED, late=record.late_of_others(plan.instance.name)))

    edit(ports.api, plan.ref, decide)
    ports.journal.step("fenced", cluster=str(plan.ref), instance=plan.instance.name, fence=placed.id)


def _own(cluster: Cluster, placed: Record) -> Record:
    record = own_record_of(cluster)
    if record is None or record.id != placed.id or not record.live:
        raise Unproven(
            f"our record on Cluster {cluster.ref} was ended or replaced while we worked",
            expected=f"the record of fence {placed.id}",
            remedy="see the Cluster's events: its deadline may have passed, or another run began",
        )
    return record


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
    if control.state != COLD_STANDBY:
        raise Unproven(
            f"{plan.instance.name} stopped in state {control.state!r}",
            expected=f"{COLD_STANDBY!r}: only a clean shutdown leaves everything on disk",
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
        end_of_wal=end,
        minimum_recovery=control.minimum_recovery,
        timeline=control.timeline,
        system_identifier=control.system_identifier,
        digest=stopped.digest,
        control_version=control.version,
    )
