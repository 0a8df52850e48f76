"""From what the tiers found to the report: what it was judged on, how long it took, who ran it."""

from collections.abc import Iterator
from contextlib import contextmanager

from kanfunc import __version__
from kanfunc.domain.codec import encode
from kanfunc.domain.finding import Depth, Finding, Tier, proven
from kanfunc.domain.report import Evidence, Report, TierTime
from kanfunc.domain.timeline import switch_from
from kanfunc.domain.world import World
from kanfunc.operations.identity import Identity
from kanfunc.ports import Clock, Ports


class Tiers:
    """The findings so far, and how long each tier took."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.findings: list[Finding] = []
        self.times: list[TierTime] = []

    @contextmanager
    def timed(self, tier: Tier) -> Iterator[None]:
        """While that tier is looked at."""
        start = self._clock.monotonic()
        yield
        took = round(self._clock.monotonic() - start, 3)
        self.times.append(TierTime(tier=tier, seconds=took))


def report_of(
    world: World, identity: Identity, tiers: Tiers, depth: Depth, *, ran_by: str, checks: str | None
) -> Report:
    """The report. checks: SHA-256 of the file of checks."""
    cluster, adopted, facts = world.cluster, identity.adopted, identity.facts
    switch = switch_from(adopted.mark.proof.timeline, facts) if adopted else None
    evidence = [Evidence.of("timeline history", facts.history)] if facts.history else []
    evidence += [Evidence.of("mark", encode(adopted.mark))] if adopted else []
    evidence += [Evidence(name="checks", sha256=checks)] if checks else []
    return Report(
        namespace=cluster.ref.namespace,
        cluster=cluster.ref.name,
        cluster_uid=cluster.uid,
        depth=depth,
        checked=cluster.read_at,
        kanfunc=__version__,
        findings=tuple(tiers.findings),
        proven=proven(tiers.findings, depth.tiers),
        instance=adopted.instance.name if adopted else None,
        mark=adopted.mark if adopted else None,
        continued=identity.continued,
        restored=adopted.data_volume.created if adopted else None,
        ended_at=switch.position if switch else None,
        postgresql=facts.version,
        ran_by=ran_by,
        times=tuple(tiers.times),
        evidence=tuple(evidence),
        foreign_fences=cluster.fenced.entries,
    ).sealed()


def tell(report: Report, world: World, ports: Ports) -> None:
    """One line for each finding, and an Event with the verdict."""
    cluster = world.cluster
    for finding in report.findings:
        ports.journal.step("checked", cluster=str(cluster.ref), check=finding.check, status=finding.status)
    ports.journal.step("reported", cluster=str(cluster.ref), proven=report.proven, sha256=report.sha256)
    verdict = "RestoreProven" if report.proven else "RestoreNotProven"
    bad = "; ".join(f"{f.check}: {f.meaning or f.found}" for f in report.findings if f.spoils)
    mark = report.mark
    point = f"fence {mark.id} at {mark.proof.end_of_wal}" if mark else "no fence point"
    ports.api.announce(cluster, verdict, bad or f"continues {point}", warning=not report.proven)
