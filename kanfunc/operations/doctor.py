"""doctor: read once what a backup will depend on, have it judged, change nothing."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Protocol, TypeVar

from kanfunc.domain.blueprint import DEADLINE, Blueprint, Call
from kanfunc.domain.capacity import Capacity, examine_capacity
from kanfunc.domain.diagnosis import Diagnosis, Examination, Unread
from kanfunc.domain.errors import KanfuncError, Terminated
from kanfunc.domain.fenceable import Chosen, examine_fence
from kanfunc.domain.kasten import Binding, Policy
from kanfunc.domain.schedule import ScheduledBackup
from kanfunc.domain.surroundings import (
    Right,
    Watcher,
    examine_budget,
    examine_marks,
    examine_rights,
    examine_schedules,
    examine_snapshots,
    examine_watchdog,
    rights_of_classes,
    rights_of_hooks,
)
from kanfunc.domain.traps import examine_operator
from kanfunc.domain.unexpected import unexpected
from kanfunc.domain.wiring import FENCE, Kasten, examine_policies, our_calls
from kanfunc.domain.world import ClusterRef, World
from kanfunc.operations.selection import at_each
from kanfunc.ports import Ports

T = TypeVar("T")


class Surveyor(Protocol):
    """What only doctor reads. Every method may raise ApiFailed or ExecFailed; NotFound: an unknown type."""

    def policies(self, namespace: str) -> tuple[Policy, ...]:
        """Kasten's policies."""

    def bindings(self, namespace: str) -> tuple[Binding, ...]:
        """Kasten's BlueprintBindings."""

    def blueprints(self, namespace: str) -> tuple[Blueprint, ...]:
        """Kanister's Blueprints."""

    def config(self, namespace: str) -> dict[str, str]:
        """Kasten's ConfigMap k10-config."""

    def watchers(self) -> tuple[Watcher, ...]:
        """Every watchdog of ours, in any namespace."""

    def scheduled_backups(self, ref: ClusterRef) -> tuple[ScheduledBackup, ...]:
        """The operator's own, of that cluster."""

    def denied(self, account: str, namespace: str, rights: Sequence[Right]) -> tuple[Right, ...]:
        """What the account may not do in that namespace ("": in the whole cluster)."""

    def capacity(self, ref: ClusterRef, primary: str) -> Capacity:
        """What the primary says of its WAL."""


def examine(
    refs: Sequence[ClusterRef], kasten_namespace: str, ports: Ports, surveyor: Surveyor
) -> tuple[list[Examination], list[KanfuncError]]:
    """Examine clusters; what was found, and why of some nothing was.

    What cannot be read is told as not checked, and why.
    """
    kasten = Kasten(
        kasten_namespace,
        policies=_read(lambda: surveyor.policies(kasten_namespace)),
        bindings=_read(lambda: surveyor.bindings(kasten_namespace)),
        blueprints=_read(lambda: surveyor.blueprints(kasten_namespace)),
        config=_read(lambda: surveyor.config(kasten_namespace)),
    )
    watchers = _read(surveyor.watchers)
    found: list[Examination] = []

    def examine_one(ref: ClusterRef) -> None:
        found.append(_examine_one(ref, kasten, watchers, ports, surveyor))

    return found, list(at_each(refs, examine_one, ports, "not examined").values())


def _examine_one(
    ref: ClusterRef,
    kasten: Kasten,
    watchers: Sequence[Watcher] | Unread,
    ports: Ports,
    surveyor: Surveyor,
) -> Examination:
    world = ports.api.world(ref)
    primary = world.primary.name if world.primary else ""
    calls = our_calls(kasten)
    chosen, checks = examine_fence(world, _read(lambda: ports.shell.replication(ref, primary)))
    policies, wired = examine_policies(world, chosen, kasten)
    checks += wired
    checks.append(examine_budget(kasten.config, calls))
    checks += _rights(world, kasten, calls, surveyor)
    checks += examine_schedules(_read(lambda: surveyor.scheduled_backups(ref)), policies)
    checks += examine_operator(world)
    checks += examine_capacity(
        _read(lambda: surveyor.capacity(ref, primary)),
        chosen.instance.name if chosen.instance else "",
        max((call.number("deadline", DEADLINE) for call in calls if call.verb == FENCE), default=DEADLINE),
    )
    checks += _elected_volumes(world, chosen, ports)
    checks.append(examine_watchdog(watchers, world.cluster))
    return Examination(
        namespace=ref.namespace,
        cluster=ref.name,
        flavour=ref.flavour.name,
        checked=world.cluster.read_at,
        would_be_proven=not any(check.speaks_against for check in checks),
        diagnoses=tuple(checks),
    )


def _rights(world: World, kasten: Kasten, calls: Sequence[Call], surveyor: Surveyor) -> list[Diagnosis]:
    accounts = sorted({call.account for call in calls if call.account})
    if not accounts:
        return [examine_rights("", Unread("no blueprint names an account for a command of ours"))]
    names = [f"system:serviceaccount:{kasten.namespace}:{account}" for account in accounts]
    return [examine_rights(name, _read(partial(_denied, name, world, surveyor))) for name in names]


def _denied(account: str, world: World, surveyor: Surveyor) -> tuple[Right, ...]:
    cluster = world.cluster
    return (
        *surveyor.denied(account, cluster.ref.namespace, rights_of_hooks(cluster)),
        *surveyor.denied(account, "", rights_of_classes()),
    )


def _elected_volumes(world: World, chosen: Chosen, ports: Ports) -> list[Diagnosis]:
    """What only somebody elected has."""
    instance, ref = chosen.instance, world.cluster.ref
    if instance is None:
        return []
    volumes = world.volumes_of(instance)

    def marks() -> Mapping[str, str]:
        files = ports.shell.inspect(ref, instance, volumes).files
        return {claim: inscription.mark for claim, inscription in files.items()}

    return [
        examine_marks(chosen.record, _read(marks)),
        examine_snapshots(_read(lambda: ports.api.without_snapshot_class(volumes))),
    ]


def _read(read: Callable[[], T]) -> T | Unread:
    """A fact, or why it could not be read."""
    try:
        return read()
    except Terminated:
        raise
    except KanfuncError as failure:
        return Unread(failure.found)
    except Exception as error:  # noqa: BLE001 - what one fact looks like must not cost the others
        return Unread(unexpected(error, "reading it").found)
