"""verify-restore: clear what the restore point carried along, see the cluster come back, and prove that it
continues exactly the fence point.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from kanfunc.domain.errors import KanfuncError, Refused, Terminated, worst
from kanfunc.domain.examination import ExaminationLimits
from kanfunc.domain.finding import Depth, Finding, Tier
from kanfunc.domain.hazards import archives, others
from kanfunc.domain.record import Changes, Record, State, record_of, relic_cleared
from kanfunc.domain.report import Report
from kanfunc.domain.unexpected import contained
from kanfunc.domain.world import Cluster, ClusterRef, Instance, World
from kanfunc.operations.activity import activity_warnings
from kanfunc.operations.content import ContentPlan, address_warnings, content_of, require_plain_users
from kanfunc.operations.identity import identity_of
from kanfunc.operations.outcome import keep_outcome
from kanfunc.operations.recovery import await_primary, await_replicas
from kanfunc.operations.reporting import Tiers, report_of, tell
from kanfunc.operations.structure import structure_of
from kanfunc.operations.waiting import edit
from kanfunc.ports import Ports


@dataclass(frozen=True)
class VerifyLimits:
    """Seconds to wait for the primary and the replicas; how far the clocks of nodes and API server differ;
    how deep to look, and what that may cost.
    """

    primary: float
    replicas: float | None
    clock_tolerance: timedelta
    depth: Depth = Depth.IDENTITY
    content: ContentPlan | None = None
    ran_by: str = ""
    structure: ExaminationLimits = ExaminationLimits()  # noqa: RUF009 - immutable


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
            with contained(ref):
                failures += _verify_and_publish(ref, expected_id, ports, limits, publish)
        except Terminated:
            raise
        except KanfuncError as failure:
            failures.append(failure.leaving("the restored cluster"))
            ports.journal.warn("not verified", cluster=str(ref), reason=str(failure))
            if not isinstance(failure, Refused):
                keep_outcome(ref, ports, reason=failure.found)
    if failures:
        raise worst(failures)


def _verify_and_publish(
    ref: ClusterRef,
    expected_id: str | None,
    ports: Ports,
    limits: VerifyLimits,
    publish: Callable[[Report], None],
) -> list[KanfuncError]:
    """The failure that a bad verdict is; none where it is proven."""
    report = verify_restore(ref, expected_id, ports, limits)
    publish(report)
    failures: list[KanfuncError] = [] if report.proven else [report.failure()]
    keep_outcome(ref, ports, reason=failures[0].found if failures else None, mark=report.mark)
    return failures


def verify_restore(ref: ClusterRef, expected_id: str | None, ports: Ports, limits: VerifyLimits) -> Report:
    """Verify one restored cluster; a bad verdict is a value, not an exception.

    Raises Refused where a backup of this very cluster is running, PlatformFailed where it does not come up.
    """
    relic = _clear_relic(ref, ports)
    primary = await_primary(ref, ports, limits.primary)
    if limits.content:
        require_plain_users(ref, primary.name, limits.content, ports.shell)
    await_replicas(ref, primary, ports, limits.replicas)
    world = ports.api.world(ref)
    expected = [expected_id] if expected_id else []
    if relic is not None and relic.state is State.SEALED:
        expected.append(
            relic.id
        )  # captured with the fence standing: it names the fence of this restore point
    report = _examine(world, primary, expected, ports, limits)
    tell(report, world, ports)
    return report


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
    """Look at every demanded tier, also where the identity is bad: a report says all there is to say."""
    tiers, plan, tolerance = Tiers(ports.clock), limits.content, limits.clock_tolerance
    with tiers.timed(Tier.IDENTITY):
        identity = identity_of(world, primary, expected, ports, tolerance)
        tiers.findings += identity.findings
    tiers.findings += _hazards(world.cluster, primary, ports)
    proof = identity.adopted.mark.proof if identity.adopted else None
    if Tier.STRUCTURE in limits.depth.tiers:
        with tiers.timed(Tier.STRUCTURE):
            tiers.findings += structure_of(
                world.cluster.ref,
                primary.name,
                proof,
                ports,
                limits.structure,
                version=identity.facts.version,
            )
    if plan:
        with tiers.timed(Tier.CONTENT):
            tiers.findings += content_of(
                world.cluster.ref,
                plan,
                ports.journal,
                ports.clock,
                facts=identity.facts,
                fenced=proof.bound_at if proof else None,
                tolerance=tolerance,
            )
        tiers.findings += address_warnings(world.cluster.ref, plan)
    checks = plan.digest if plan else None
    return report_of(world, identity, tiers, limits.depth, ran_by=limits.ran_by, checks=checks)


def _hazards(cluster: Cluster, primary: Instance, ports: Ports) -> list[Finding]:
    """What this copy may do to its source, at every depth."""
    return [
        *archives(cluster),
        *others(ports.api.other_pods(cluster.ref)),
        *activity_warnings(cluster.ref, primary.name, ports),
    ]
