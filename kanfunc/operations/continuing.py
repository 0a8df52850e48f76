"""Where and when a restored database went on from the fence point: the measurements behind the findings."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from kanfunc.domain.continuation import (
    earlier_verdict,
    end_point,
    never_promoted,
    promoted_here,
    resumed_here,
    stopped_point,
)
from kanfunc.domain.finding import Finding
from kanfunc.domain.restoration import Adopted
from kanfunc.domain.timeline import PrimaryFacts, switch_from
from kanfunc.domain.world import ClusterRef
from kanfunc.ports import Ports


@dataclass(frozen=True)
class Restored:
    """A restored cluster: the instance that was adopted, the name of the primary, and what that says."""

    ref: ClusterRef
    adopted: Adopted
    primary: str
    facts: PrimaryFacts


def continuation_of(
    restored: Restored, ports: Ports, tolerance: timedelta
) -> tuple[datetime | None, list[Finding]]:
    """When the database went on from the fence point (None: unknown), and what there is to say of it."""
    adopted, facts = restored.adopted, restored.facts
    proof = adopted.mark.proof
    switch = switch_from(proof.timeline, facts)
    promoted_at_end = switch is not None and switch.position == proof.end_of_wal
    if proof.shutdown_checkpoint is not None and not promoted_at_end:
        return _resumption(restored, ports, tolerance)
    point = end_point(proof, facts)
    if adopted.earlier:
        return adopted.earlier.continued, [point, earlier_verdict(adopted.earlier)]
    if switch is None:
        return None, [point, never_promoted()]
    traces = ports.shell.promotion(restored.ref, adopted.instance.name, switch)
    return traces.at, [point, promoted_here(adopted, traces, tolerance)]


def _resumption(
    restored: Restored, ports: Ports, tolerance: timedelta
) -> tuple[datetime | None, list[Finding]]:
    """Of a primary that was fenced by permission. A commit of ours makes sure that one can be found."""
    adopted = restored.adopted
    if adopted.earlier:
        return adopted.earlier.continued, [earlier_verdict(adopted.earlier)]
    if adopted.instance.name == restored.primary:
        ports.shell.emit_bound(restored.ref, restored.primary, adopted.mark.id)
    traces = ports.shell.resumption(restored.ref, adopted.instance.name, adopted.mark.proof)
    point = stopped_point(adopted.mark.proof, restored.facts, traces)
    return traces.at, [point, resumed_here(adopted, traces, tolerance)]
