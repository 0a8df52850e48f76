"""The invariants, checked against what really happened. Names as in the design."""

from kanfunc.domain.mark import read_mark
from kanfunc.domain.record import State, Verdict, own_record_of
from kanfunc.domain.world import Cluster
from tests.machine.engine import Engine
from tests.machine.objects import EVERYONE, Violation
from tests.machine.simulation import Simulation


def check_entries_of_others(simulation: Simulation, before: Cluster, after: Cluster) -> None:
    """I3: a patch of ours takes a person's entry only where it joined a fence of ours."""
    truth = simulation.truth
    removed = set(before.fenced.entries) - set(after.fenced.entries)
    if stolen := (removed & truth.human) - truth.fencing - truth.announced:
        raise Violation(f"I3: entries of others were removed: {stolen}")
    if EVERYONE in removed:
        raise Violation("I3: the fence of everybody was removed")
    truth.human -= removed


def check_seal(simulation: Simulation, before: Cluster, after: Cluster) -> None:
    """I1: when the record says sealed, the instance is cold, marked, fenced, and holds the bound."""
    old, record = own_record_of(before), own_record_of(after)
    if record is None or record.state is not State.SEALED or (old and old.state is State.SEALED):
        return
    engine = simulation.engines[record.instance]
    proof = record.proof
    marks = [read_mark(engine.marks.get(claim, "")) for claim in record.volumes]
    good = (
        proof is not None
        and not engine.running
        and engine.clean
        and engine.digest == proof.digest
        and engine.position >= proof.bound
        and all(mark and mark.id == record.id and mark.proof == proof for mark in marks)
        and simulation.is_fenced(record.instance)
        and set(record.volumes) == {record.instance}
    )
    if not good:
        raise Violation(f"I1: sealed, but {engine} with {record}")
    uids = frozenset(each["metadata"]["uid"] for each in simulation.snapshots())
    simulation.truth.at_seal[record.id] = uids


def check_verdict(simulation: Simulation, before: Cluster, after: Cluster) -> None:
    """I1: `held` is given only when every copy since the seal is one of the cold files."""
    old, record = own_record_of(before), own_record_of(after)
    if record is None or record.verdict is not Verdict.HELD or (old and old.verdict is Verdict.HELD):
        return
    check_copies(simulation, record.id, record.proof.digest if record.proof else "",
                 frozenset(record.judged_snapshots or ()), set(record.volumes))  # fmt: skip


def check_copies(
    simulation: Simulation, fence_id: str, digest: str, seen: frozenset[str], claims: set[str]
) -> None:
    """Each copy that was seen and made since the seal is cold and marked; each volume has one."""
    new = seen - simulation.truth.at_seal[fence_id]
    copies = [simulation.truth.copies[uid] for uid in new if uid in simulation.truth.copies]
    if len(copies) < len(new):
        raise Violation("I1: held, though a snapshot was not cut")
    if claims - {claim for claim, _ in copies}:
        raise Violation("I7: held, though a volume has no snapshot")
    for claim, engine in copies:
        if claim not in claims or not is_cold(engine, claim, fence_id, digest):
            raise Violation(f"I1: held, but the copy of {claim} is {engine}")


def is_cold(engine: Engine, claim: str, fence_id: str, digest: str) -> bool:
    mark = read_mark(engine.marks.get(claim, ""))
    return not engine.running and engine.digest == digest and mark is not None and mark.id == fence_id


def check_left(simulation: Simulation, fence_id: str) -> None:
    """I2: a call that failed without exit code 4 leaves no live record of its fence."""
    record = own_record_of(simulation.cluster())
    if record and record.id == fence_id and record.live:
        raise Violation(f"I2: {record.state} was left behind by fence {fence_id}")


def check_nothing_stands(simulation: Simulation) -> None:
    """I2: when all is over, no live record, no entry but those of people, and everybody else runs."""
    record = own_record_of(simulation.cluster())
    if record and record.live:
        raise Violation(f"I2: the record is still {record.state}")
    if orphans := set(simulation.fenced) - simulation.truth.human:
        raise Violation(f"I2: orphaned entries {orphans}")
    stopped = {name for name, engine in simulation.engines.items() if not engine.running}
    if down := {name for name in stopped if not simulation.is_fenced(name)}:
        raise Violation(f"I2: {down} do not run")
