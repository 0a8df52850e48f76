"""Is the restored database the continuation of the fence point? The first tier of every verification."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from kanfunc.domain.codec import encode
from kanfunc.domain.continuation import same_database
from kanfunc.domain.errors import ExecFailed, NotFound, PlatformFailed
from kanfunc.domain.finding import Finding, Tier, proven
from kanfunc.domain.mark import VERDICT_FILE, VerifiedMark
from kanfunc.domain.restoration import Adopted, Inscriptions, adopted_of, identify, no_mark
from kanfunc.domain.timeline import PrimaryFacts
from kanfunc.domain.world import Instance, World
from kanfunc.operations.continuing import Restored, continuation_of
from kanfunc.ports import Ports


@dataclass(frozen=True)
class Identity:
    """What was adopted (None: no mark), since when the database goes on, and what there is to say of it."""

    findings: list[Finding]
    facts: PrimaryFacts
    adopted: Adopted | None = None
    continued: datetime | None = None


def identity_of(
    world: World, primary: Instance, expected: Sequence[str], ports: Ports, tolerance: timedelta
) -> Identity:
    """Judge the mark and what follows it; proven, the marks become this incarnation's verdict.

    Raises PlatformFailed where no mark was found, and an instance that might have it does not answer.
    """
    adopted, files, unread = _find_adopted(world, ports)
    if adopted is None and unread:
        raise PlatformFailed(
            f"no mark was found, and {', '.join(unread)} could not be looked at",
            expected="a look at every instance: a switchover may have come before us",
            remedy="run again when all pods of the cluster run",
        )
    if adopted is None:
        return _unmarked(world, primary, files, ports, tolerance)
    ref = world.cluster.ref
    facts = ports.shell.primary_facts(ref, primary.name, adopted.mark.proof.xid)
    findings = [*identify(adopted, world.cluster, expected), *same_database(adopted.mark.proof, facts)]
    continued, more = continuation_of(Restored(ref, adopted, primary.name, facts), ports, tolerance)
    findings += more
    if continued and adopted.earlier is None and proven(findings, [Tier.IDENTITY]):
        _keep_verdict(world, adopted, continued, ports)
    return Identity(findings, facts, adopted, continued)


def _unmarked(
    world: World, primary: Instance, files: Iterable[Inscriptions], ports: Ports, tolerance: timedelta
) -> Identity:
    facts = ports.shell.primary_facts(world.cluster.ref, primary.name, "0")
    inscriptions = (entry for volumes in files for entry in volumes.values())
    return Identity([no_mark(inscriptions, facts, world.volumes_of(primary), tolerance)], facts)


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
