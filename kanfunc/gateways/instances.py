"""What we do inside instances: each method one script, its output parsed into facts."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TypeVar

import msgspec

from kanfunc.domain.activity import Activity, Actors
from kanfunc.domain.codec import Malformed, decode, encode
from kanfunc.domain.coldness import Control, Segment, WalTail
from kanfunc.domain.errors import ExecCut, ExecFailed
from kanfunc.domain.facts import Bound, Inspection, Replay, Stopped
from kanfunc.domain.hooks import Argv
from kanfunc.domain.lsn import Lsn
from kanfunc.domain.mark import MARK_FILE, VERDICT_FILE, Inscription
from kanfunc.domain.record import Proof
from kanfunc.domain.replication import Replication
from kanfunc.domain.timeline import PrimaryFacts, PromotionFacts, ResumptionFacts, Switch
from kanfunc.domain.world import ClusterRef, Instance, Volume
from kanfunc.gateways import activityscripts, restorescripts, scripts, shell
from kanfunc.gateways.podexec import PodExec

T = TypeVar("T")

_LOOK_SECONDS = 60.0
"""For scripts that only look: a volume that hangs shows here."""
_ACTIVITY_SECONDS = 40
"""For looking into all databases: with the last of them, and those that are named, within _LOOK_SECONDS."""
_FLUSH_SECONDS = 300.0
"""For forcing whole volumes to disk."""


_UNKNOWN_ANSWER = "see whether that image's PostgreSQL is one of those in README, Architecture card"


class PodInstances:
    """InstanceShell over exec."""

    def __init__(self, pods: PodExec) -> None:
        self._pods = pods

    def replication(self, ref: ClusterRef, primary: str) -> Replication:
        """See InstanceShell."""
        return decoded(self._look(ref, primary, scripts.REPLICATION), Replication)

    def emit_bound(self, ref: ClusterRef, primary: str, fence_id: str) -> Bound:
        """See InstanceShell."""
        output = self._run(ref, primary, scripts.EMIT_BOUND, _LOOK_SECONDS, fence_id).split()
        if len(output) != 3:  # noqa: PLR2004 - xid, position of the message, flushed position
            raise ExecFailed(f"the bound cannot be read from {output!r}", remedy=_UNKNOWN_ANSWER)
        return Bound(xid=output[0], flushed=Lsn.parse(output[2]))

    def await_replay(self, ref: ClusterRef, instance: str, bound: Lsn, seconds: float) -> Replay:
        """See InstanceShell."""
        output = self._run(
            ref, instance, scripts.AWAIT_REPLAY, seconds + _LOOK_SECONDS, str(bound), f"{seconds:.0f}"
        )
        with readable(output):
            reached, position, behind = output.strip().split("|")
            return Replay(reached == "t", Lsn.parse(position), float(behind))

    def run_hook(self, ref: ClusterRef, instance: str, argv: Argv, seconds: float) -> None:
        """See InstanceShell."""
        self._pods.run(ref.namespace, instance, argv, seconds)

    def await_stopped(self, ref: ClusterRef, instance: str, seconds: float) -> Stopped:
        """See InstanceShell."""
        output = self._run(ref, instance, scripts.AWAIT_STOPPED, seconds)
        with readable(output):
            found = sections(output)
            return Stopped(
                control=Control.parse(found["control"]),
                wal=WalTail(Segment(found["segment"]), found["record"], found["complaint"], found["newest"]),
                digest=found["digest"],
                version=found["version"].partition("(PostgreSQL) ")[2],
            )

    def inspect(self, ref: ClusterRef, instance: Instance, volumes: Sequence[Volume]) -> Inspection:
        """See InstanceShell."""
        roots = _roots(instance, volumes)
        some = list(shell.portions(roots.values())) or [()]
        found = [self._inspected(ref, instance.name, each) for each in some]
        texts = {name: text for each in found for name, text in each.items()}
        if len({each["digest"] for each in found}) > 1:
            raise ExecFailed(f"{instance.name} started or stopped while it was looked at", remedy="run again")
        return Inspection(
            running=any(each["running"] != "no" for each in found),
            digest=texts["digest"],
            files={
                claim: Inscription(mark=texts[f"mark:{root}"], verdict=texts[f"verdict:{root}"])
                for claim, root in roots.items()
            },
        )

    def _inspected(self, ref: ClusterRef, pod: str, roots: Sequence[str]) -> dict[str, str]:
        output = self._look(ref, pod, scripts.INSPECT, MARK_FILE, VERDICT_FILE, *roots)
        files = (f"{kind}:{root}" for kind in ("mark", "verdict") for root in roots)
        with readable(output):
            found = sections(output)
            return {name: found[name] for name in ("digest", "running", *files)}

    def inscribe(
        self, ref: ClusterRef, instance: Instance, volumes: Sequence[Volume], name: str, text: str
    ) -> None:
        """See InstanceShell."""
        pieces = ["".join(piece) for piece in shell.portions(text)]
        for roots in shell.portions(_roots(instance, volumes).values()):
            for number, piece in enumerate(pieces, 1):
                first, last = ("yes" if number == end else "no" for end in (1, len(pieces)))
                arguments = (name, piece, first, last, *roots)
                self._run(ref, instance.name, scripts.INSCRIBE, _FLUSH_SECONDS, *arguments)

    def erase_marks(
        self, ref: ClusterRef, instance: Instance, volumes: Sequence[Volume], fence_id: str
    ) -> None:
        """See InstanceShell."""
        for roots in shell.portions(_roots(instance, volumes).values()):
            self._run(ref, instance.name, scripts.ERASE_MARKS, _LOOK_SECONDS, MARK_FILE, fence_id, *roots)

    def await_streaming(
        self, ref: ClusterRef, primary: str, instance: str, seconds: float, *, caught_up: bool
    ) -> bool:
        """See InstanceShell."""
        arguments = (instance, f"{seconds:.0f}", "yes" if caught_up else "no")
        output = self._run(ref, primary, scripts.AWAIT_STREAMING, seconds + _LOOK_SECONDS, *arguments)
        return output.strip() == "yes"

    def await_writable(self, ref: ClusterRef, primary: str, seconds: float) -> bool:
        """See InstanceShell."""
        output = self._run(ref, primary, scripts.AWAIT_WRITABLE, seconds + _LOOK_SECONDS, f"{seconds:.0f}")
        return output.strip() == "yes"

    def activity(self, ref: ClusterRef, primary: str) -> Activity:
        """See InstanceShell."""
        arguments = activityscripts.arguments(_ACTIVITY_SECONDS)
        output = self._look(ref, primary, activityscripts.ACTIVITY, *arguments)
        with readable(output):
            found = sections(output)
            databases = tuple(decoded(line, Actors) for line in found["databases"].splitlines())
            server, counts = decoded(found["server"], Activity), decoded(found["counts"], dict[str, int])
            return msgspec.structs.replace(
                server, databases=databases, acting=counts["acting"], unseen=counts["unseen"]
            )

    def primary_facts(self, ref: ClusterRef, primary: str, xid: str) -> PrimaryFacts:
        """See InstanceShell."""
        output = self._run(ref, primary, restorescripts.PRIMARY_FACTS, _LOOK_SECONDS, xid)
        with readable(output):
            found = sections(output)
            return msgspec.structs.replace(decoded(found["facts"], PrimaryFacts), history=found["history"])

    def superusers(self, ref: ClusterRef, primary: str, users: Sequence[str]) -> tuple[str, ...]:
        """See InstanceShell."""
        found: list[str] = []
        for some in shell.portions(users):
            output = self._look(ref, primary, restorescripts.SUPERUSERS, encode(some))
            found += decoded(output, list[str])
        return tuple(found)

    def promotion(self, ref: ClusterRef, instance: str, switch: Switch) -> PromotionFacts:
        """See InstanceShell."""
        arguments = (f"{switch.child}", f"{switch.position}")
        output = self._run(ref, instance, restorescripts.PROMOTION, _LOOK_SECONDS, *arguments)
        with readable(output):
            found = sections(output)
            written = found["history"]
            return PromotionFacts(
                end_of_recovery=found["record"],
                history_written=datetime.fromtimestamp(int(written), UTC) if written else None,
            )

    def resumption(self, ref: ClusterRef, instance: str, proof: Proof) -> ResumptionFacts:
        """See InstanceShell."""
        arguments = (f"{proof.timeline}", f"{proof.shutdown_checkpoint}")
        output = self._run(ref, instance, restorescripts.RESUMPTION, _LOOK_SECONDS, *arguments)
        with readable(output):
            found = sections(output)
            return ResumptionFacts(checkpoint=found["checkpoint"], first_commit=found["commit"])

    def _look(self, ref: ClusterRef, pod: str, script: str, *arguments: str) -> str:
        """A script that only reads may be asked again: a cut connection is no answer."""
        try:
            return self._run(ref, pod, script, _LOOK_SECONDS, *arguments)
        except ExecCut:
            return self._run(ref, pod, script, _LOOK_SECONDS, *arguments)

    def _run(self, ref: ClusterRef, pod: str, script: str, seconds: float, *arguments: str) -> str:
        return self._pods.run(ref.namespace, pod, shell.argv(script, *arguments), seconds)


def _roots(instance: Instance, volumes: Sequence[Volume]) -> dict[str, str]:
    """Claim name -> where the pod mounts that volume."""
    return {volume.name: instance.mounts[volume.name] for volume in volumes}


def sections(output: str) -> dict[str, str]:
    r"""Split a script's output at its headings.

    >>> sections("\n--kanfunc:digest\nabc\n\n--kanfunc:running\nno\n")
    {'digest': 'abc', 'running': 'no'}
    """
    parts = f"\n{output}".split(f"\n{shell.SECTION}")[1:]
    pairs = (part.partition("\n") for part in parts)
    return {name: text.strip() for name, _, text in pairs}


@contextmanager
def readable(output: str) -> Iterator[None]:
    """Turn a failure to parse a script's output into ours."""
    try:
        yield
    except (ValueError, KeyError, OverflowError) as error:
        raise ExecFailed(
            f"the answer {output.strip()[:200]!r} cannot be read: {error!r}", remedy=_UNKNOWN_ANSWER
        ) from error


def decoded(text: str, shape: type[T]) -> T:
    """Parse a script's JSON; raises ExecFailed."""
    try:
        return decode(text, shape)
    except Malformed as error:
        raise ExecFailed(
            f"the answer {text.strip()[:200]!r} cannot be read: {error}", remedy=_UNKNOWN_ANSWER
        ) from error
