"""Putting the elected instance into the fence list: by the operator's own command, or by a patch of ours."""

from datetime import timedelta

from kanfunc.domain.errors import ExecFailed, Refused, Unproven
from kanfunc.domain.hooks import Hooks
from kanfunc.domain.preflight import Plan
from kanfunc.domain.record import Changes, Late, Record, State, own_record_of, written
from kanfunc.domain.world import Cluster
from kanfunc.operations.release import run_afterwards
from kanfunc.operations.waiting import edit, wait_until
from kanfunc.ports import Ports

_LATE_MARGIN = timedelta(seconds=60)
"""A command that was ended at its limit is given this much longer to have had its effect."""


def place_fence(plan: Plan, placed: Record, ports: Ports, seconds: float) -> None:
    """Afterwards the entry stands, is ours, and the record says `fenced`."""
    if plan.hooks is None:
        _by_patch(plan, placed, ports)
    else:
        _by_command(plan, plan.hooks, placed, ports, seconds)
    ports.journal.step("fenced", cluster=str(plan.ref), instance=plan.instance.name, fence=placed.id)


def _by_patch(plan: Plan, placed: Record, ports: Ports) -> None:
    """Entry and state change in one patch: there is no moment in which the entry is not known to be ours."""

    def decide(cluster: Cluster) -> Changes:
        record = _own(cluster, placed)
        if record.state is State.FENCED and cluster.fenced.names(plan.instance.name):
            return {}
        _require_unchanged(plan, cluster)
        fenced = cluster.fenced.adding(plan.instance.name).annotation()
        return {
            **written(record.but(state=State.FENCED, fenced=cluster.read_at)),
            cluster.flavour.fenced_instances: fenced,
        }

    edit(ports.api, plan.ref, decide, exact=True)


def _by_command(plan: Plan, hooks: Hooks, placed: Record, ports: Ports, seconds: float) -> None:
    _expect_entry(plan, placed, ports, seconds)
    try:
        ports.shell.run_hook(plan.ref, plan.instance.name, hooks.pre_backup, seconds)
    except ExecFailed:
        run_afterwards(ports, plan.ref, plan.instance.name, hooks.on_error, seconds)
        raise
    try:
        _await_entry(plan, placed, ports, seconds)
    except Unproven:
        _take_back(plan, hooks, ports, seconds)
        raise


def _take_back(plan: Plan, hooks: Hooks, ports: Ports, seconds: float) -> None:
    """Our record ended before its entry came, and may no longer claim it; but we know whose it is."""
    record = own_record_of(ports.api.cluster(plan.ref))
    if record is None or not record.live:
        run_afterwards(ports, plan.ref, plan.instance.name, hooks.on_error, seconds, claimed=False)


def _expect_entry(plan: Plan, placed: Record, ports: Ports, seconds: float) -> None:
    """Look once more, and write down that an entry may come now.

    From this patch on an entry for the instance counts as ours, even if this process dies in the command.
    """

    def decide(cluster: Cluster) -> Changes:
        record = _own(cluster, placed)
        _require_unchanged(plan, cluster)
        until = cluster.read_at + timedelta(seconds=seconds) + _LATE_MARGIN
        expected = Late(instance=plan.instance.name, until=until)
        return written(record.but(late=(*placed.late, expected)))

    edit(ports.api, plan.ref, decide, exact=True)


def _await_entry(plan: Plan, placed: Record, ports: Ports, seconds: float) -> None:
    """The operator's command has set the entry, or will in a moment: then the fence is placed, and ours."""
    seen = wait_until(
        lambda left: ports.api.watch_cluster(plan.ref, left),
        lambda cluster: cluster.fenced.names(plan.instance.name),
        clock=ports.clock,
        seconds=seconds,
        what=f"the fence entry for {plan.instance.name} on Cluster {plan.ref}",
        describe=lambda cluster: f"fenced: {', '.join(cluster.fenced.entries) or 'nobody'}",
        remedy="see the operator's log: its pre-backup command ended well, and it placed no entry",
    )

    def decide(cluster: Cluster) -> Changes:
        record = _own(cluster, placed)
        if record.state is not State.PLACING:
            return {}
        # what runs before ours have left may still come, to this instance, too
        return written(record.but(state=State.FENCED, fenced=cluster.read_at, late=placed.late))

    edit(ports.api, plan.ref, decide, read=seen)


def _require_unchanged(plan: Plan, cluster: Cluster) -> None:
    """The list is still free, and the instance has not become the primary since it was decided."""
    if cluster.settled_primary != plan.primary.name:
        raise Refused(
            f"Cluster {cluster.ref} switches or fails over (current primary: {cluster.current_primary}, "
            f"target: {cluster.target_primary}, when it was decided: {plan.primary.name})",
            expected="the same primary all the time: it must never be the one that is stopped",
            remedy="run again after the switch",
        )
    if cluster.fenced:
        raise Refused(
            f"{', '.join(cluster.fenced.entries)} of Cluster {cluster.ref} was fenced meanwhile, not by us",
            expected=f"an empty {cluster.flavour.fenced_instances}",
            remedy="ask who fenced it; run again when the entry is gone",
        )


def _own(cluster: Cluster, placed: Record) -> Record:
    record = own_record_of(cluster)
    if record is None or record.id != placed.id or not record.live:
        raise Unproven(
            f"our record on Cluster {cluster.ref} was ended or replaced while we worked",
            expected=f"the record of fence {placed.id}",
            remedy="see the Cluster's events: its deadline may have passed, or another run began",
        )
    return record
