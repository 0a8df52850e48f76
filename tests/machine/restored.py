"""A new incarnation of the cluster, made of one instance's copy, as the operator adopts it."""

from datetime import timedelta

from kanfunc.domain.flavour import RECORD_ANNOTATION
from kanfunc.domain.mark import read_mark
from kanfunc.domain.report import Report
from kanfunc.operations.verify_restore import VerifyLimits, verify_restore
from tests.machine.actors import Actor
from tests.machine.engine import Engine
from tests.machine.objects import INSTANCES, Violation
from tests.machine.simulation import Simulation

GAP = timedelta(minutes=5)
VERIFY_LIMITS = VerifyLimits(primary=60, replicas=None, clock_tolerance=timedelta(seconds=30))


def restore(source: Simulation, copy: Engine, *, captured: bool) -> Simulation:
    """Adopt the copy as pg-2 and clone the others; `captured`: the Cluster's annotations come along."""
    new = Simulation(source.flavour)
    new.now = source.now + GAP
    new.created = dict.fromkeys(new.created, new.now)
    adopted = copy.copied()
    adopted.start()
    adopted.promote(new.now + timedelta(seconds=10))
    new.engines = {name: adopted if name == "pg-2" else adopted.copied() for name in INSTANCES}
    for name in set(INSTANCES) - {"pg-2"}:
        new.engines[name].marks, new.engines[name].verdicts = {}, {}
    new.set_status(new.clusters, new.ref.name, {"currentPrimary": "pg-2", "targetPrimary": "pg-2"})
    new.relabel("pg-3")
    if captured:
        annotations = source.cluster().annotations
        new.annotate(RECORD_ANNOTATION, annotations.get(RECORD_ANNOTATION))
        new.annotate(source.flavour.fenced_instances, annotations.get(source.flavour.fenced_instances))
    new.tick(timedelta(seconds=20))
    return new


def start_verify(simulation: Simulation) -> Actor:
    return Actor(
        simulation, "verify", lambda ports: verify_restore(simulation.ref, None, ports, VERIFY_LIMITS)
    )


def check_report(copy: Engine, report: Report) -> None:
    """Proven means: the content is exactly that of the fence, and it was promoted in this restore only."""
    mark = read_mark(copy.marks.get("pg-2", ""))
    if report.proven and (
        mark is None
        or copy.position != mark.proof.end_of_wal
        or copy.timeline != mark.proof.timeline
        or copy.verdicts
    ):
        raise Violation(f"I1: a restore was called proven, made of {copy}")
