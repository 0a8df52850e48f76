"""verify-restore: clear what the restore point carried along, see the cluster come back, and prove that it
continues exactly the fence point.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from kanfunc import __version__
from kanfunc.domain.codec import encode
from kanfunc.domain.continuation import same_database
from kanfunc.domain.errors import (
    ExecFailed,
    KanfuncError,
    NotFound,
    PlatformFailed,
    Refused,
    Terminated,
    worst,
)
from kanfunc.domain.finding import Finding
from kanfunc.domain.mark import VERDICT_FILE, VerifiedMark
from kanfunc.domain.record import Changes, Record, State, record_of, relic_cleared
from kanfunc.domain.report import Report
from kanfunc.domain.restoration import Adopted, Inscriptions, adopted_of, identify, no_mark
from kanfunc.domain.world import Cluster, ClusterRef, Instance, World
from kanfunc.operations.continuing import Restored, continuation_of
from kanfunc.operations.outcome import keep_outcome
from kanfunc.operations.recovery import await_primary, await_replicas
from kanfunc.operations.waiting import edit
from kanfunc.ports import Ports


@dataclass(frozen=True)
class VerifyLimits:
    """Seconds to wait for the primary and the replicas; how far the clocks of nodes and API server differ."""

    primary: float
    replicas: float | None
    clock_tolerance: timedelta


def verify_restores(
    refs: Sequence[ClusterRef],
    expected_id: str | None,
    ports: Ports,
    limits: VerifyLimits,
    publish: Callable[[Report], None],
) -> None:
    """Verify every cluster and publish each report; then raise the worst of what was not proven."""
    failures: list[KanfuncError] = []
    for ref in refs:
        try:
            report = verify_restore(ref, expected_id, ports, limits)
        except Terminated:
            raise
        except KanfuncError as failure:
            failures.append(failure.leaving("the restored cluster"))
            ports.journal.warn("not verified", cluster=str(ref), reason=str(failure))
            if not isinstance(failure, Refused):
                keep_outcome(ref, ports, reason=failure.found)
        else:
            publish(report)
            failures += [] if report.proven else [report.failure()]
            keep_outcome(
                ref, ports, reason=None if report.proven else report.failure().found, mark=report.mark
            )
    if failures:
        raise worst(failures)


def verify_restore(ref: ClusterRef, expected_id: str | None, ports: Ports, limits: VerifyLimits) -> Report:
    """Verify one restored cluster; a bad verdict is a value, not an exception.

    Raises Refused where a backup of this very cluster is running, PlatformFailed where it does not come up.
    """
    relic = _clear_relic(ref, ports)
    primary = await_primary(ref, ports, limits.primary)
    await_replicas(ref, primary, ports, limits.replicas)
    world = ports.api.world(ref)
    expected = [expected_id] if expected_id else []
    if relic is not None and relic.state is State.SEALED:
        expected.append(
            relic.id
        )  # captured with the fence standing: it names the fence of this restore point
    return _examine(world, primary, expected, ports, limits)


def _clear_relic(ref: ClusterRef, ports: Ports) -> Record | None:
    """Remove the record of another incarnation, and the entry it names, that came with the restore point."""
    relics: list[Record] = []

    def decide(cluster: Cluster) -> Changes:
        record = record_of(cluster)
        if record is None:
            return {}
        if record.cluster_uid != cluster.uid:
            relics.append(record)
            return relic_cleared(cluster, record)
        if record.live:
            raise Refused(
                f"Cluster {ref} has a standing fence {record.id} ({record.state}) of its own: "
                "a backup is running",
                expected="a cluster that was restored",
                remedy=f"let the backup end, or run kanfunc unfence --outcome failure -n {ref.namespace}",
            )
        return {}

    edit(ports.api, ref, decide)
    if not relics:
        return None
    ports.journal.step("relic cleared", cluster=str(ref), fence=relics[-1].id, instance=relics[-1].instance)
    return relics[-1]


def _examine(
    world: World, primary: Instance, expected: Sequence[str], ports: Ports, limits: VerifyLimits
) -> Report:
    ref = world.cluster.ref
    adopted, files, unread = _find_adopted(world, ports)
    if adopted is None:
        if unread:
            raise PlatformFailed(
                f"no mark was found, and {', '.join(unread)} could not be looked at",
                expected="a look at every instance: a switchover may have come before us",
                remedy="run again when all pods of the cluster run",
            )
        facts = ports.shell.primary_facts(ref, primary.name, "0")
        inscriptions = (entry for volumes in files for entry in volumes.values())
        return _report(
            world,
            (no_mark(inscriptions, facts, world.volumes_of(primary), limits.clock_tolerance),),
            None,
            None,
            ports,
        )
    facts = ports.shell.primary_facts(ref, primary.name, adopted.mark.proof.xid)
    findings = [*identify(adopted, world.cluster, expected), *same_database(adopted.mark.proof, facts)]
    restored = Restored(ref, adopted, primary.name, facts)
    continued, more = continuation_of(restored, ports, limits.clock_tolerance)
    report = _report(world, [*findings, *more], adopted, continued, ports)
    if report.proven and continued and adopted.earlier is None:
        _keep_verdict(world, adopted, continued, ports)
    return report


def _find_adopted(world: World, ports: Ports) -> tuple[Adopted | None, list[Inscriptions], list[str]]:
    """Look for the mark on every instance: a switchover may have come before us."""
    seen: list[Inscriptions] = []
    unread: list[str] = []
    for instance in world.instances:
        volumes = world.volumes_of(instance)
        try:
            files = dict(ports.shell.inspect(world.cluster.ref, instance, volumes).files)
        except (ExecFailed, NotFound) as error:
            ports.journal.warn("instance not looked at", instance=instance.name, reason=error.found)
            unread.append(instance.name)
            continue
        seen.append(files)
        if adopted := adopted_of(world.cluster, instance, volumes, files):
            return adopted, seen, unread
    return None, seen, unread


def _keep_verdict(world: World, adopted: Adopted, continued: datetime, ports: Ports) -> None:
    """Turn the marks into verdicts, so that the mark cannot vouch for a later copy of these volumes."""
    verdict = VerifiedMark(
        mark=adopted.mark,
        cluster_uid=world.cluster.uid,
        volumes={volume.name: volume.uid for volume in adopted.volumes},
        continued=continued,
        verified=world.cluster.read_at,
    )
    ref, instance, volumes = world.cluster.ref, adopted.instance, adopted.volumes
    ports.shell.inscribe(ref, instance, volumes, VERDICT_FILE, encode(verdict))
    ports.shell.erase_marks(ref, instance, volumes, adopted.mark.id)


def _report(
    world: World,
    findings: Sequence[Finding],
    adopted: Adopted | None,
    continued: datetime | None,
    ports: Ports,
) -> Report:
    cluster = world.cluster
    report = Report(
        namespace=cluster.ref.namespace,
        cluster=cluster.ref.name,
        cluster_uid=cluster.uid,
        depth="identity",
        checked=cluster.read_at,
        kanfunc=__version__,
        findings=tuple(findings),
        proven=bool(findings) and all(finding.passed for finding in findings),
        instance=adopted.instance.name if adopted else None,
        mark=adopted.mark if adopted else None,
        continued=continued,
        foreign_fences=cluster.fenced.entries,
    )
    for finding in findings:
        ports.journal.step("checked", cluster=str(cluster.ref), check=finding.check, status=finding.status)
    verdict = "RestoreProven" if report.proven else "RestoreNotProven"
    bad = "; ".join(f"{f.check}: {f.meaning or f.found}" for f in findings if not f.passed)
    point = f"fence {adopted.mark.id} at {adopted.mark.proof.end_of_wal}" if adopted else "no fence point"
    ports.api.announce(cluster, verdict, bad or f"continues {point}", warning=not report.proven)
    return report
