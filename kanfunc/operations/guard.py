"""One cluster under the watchdog's eyes: its fence ends in time, its election stands, danger is told."""

from dataclasses import dataclass, replace

from kanfunc.domain.errors import ExecFailed, KanfuncError, NotFound
from kanfunc.domain.outcome import own_outcome_of
from kanfunc.domain.record import Record, Verdict, own_record_of, record_of
from kanfunc.domain.replication import Replication
from kanfunc.domain.standing import (
    OnPrimaryLost,
    Standing,
    bytes_at_stake,
    concerns_us,
    is_back,
    is_protected,
    primary_lost,
    wants_election,
)
from kanfunc.domain.unexpected import contained
from kanfunc.domain.world import Cluster, ClusterRef, World
from kanfunc.operations.elect import elect
from kanfunc.operations.expiry import end_expired
from kanfunc.operations.release import release
from kanfunc.ports import Clock, Ports

FENCE_LOOK_SECONDS = 30.0
"""While a fence stands: how often the primary is asked how far it is, for the day that it is lost."""
RETRY_SECONDS = 30.0
"""After a look that came to nothing."""


@dataclass(frozen=True)
class GuardLimits:
    """patience: seconds that an elected replica or a primary may be away before it counts."""

    patience: float
    on_primary_lost: OnPrimaryLost


class _Absence:
    """How long something has been away without a break."""

    def __init__(self, clock: Clock, patience: float) -> None:
        self._clock, self._patience = clock, patience
        self._since: float | None = None

    def lasts(self, *, away: bool) -> bool:
        """Note whether it is away now; True when it has been for longer than we are patient."""
        if not away:
            self._since = None
            return False
        now = self._clock.monotonic()
        self._since = now if self._since is None else self._since
        return now - self._since >= self._patience


class Guard:
    """Looks after one cluster, one look at a time.

    `standing` is what the last look found, `ended` how many fences were ended here. Every action is a patch
    that tests what was read: two watchdogs do no harm, a killed one neither.
    """

    def __init__(self, ref: ClusterRef, ports: Ports, limits: GuardLimits) -> None:
        self.standing = Standing(ref)
        self.ended = 0
        self._ref, self._ports, self._limits = ref, ports, limits
        self._primary = _Absence(ports.clock, limits.patience)
        self._elected = _Absence(ports.clock, limits.patience)
        self._primary_said: Replication | None = None
        self._seen = Standing(ref)
        """What this look finds. `standing` changes at its end, so that nobody reads half of it; what a look
        that failed did not come to stays as it was."""
        self._told: set[str] = set()
        self._stood: str | None = None
        """Id of the fence that was seen to stand: how long its instance takes to return can be measured."""
        self._back: tuple[str, float | None] | None = None
        """Id of the fence whose instance is back, and after how many seconds."""

    def look(self) -> float | None:
        """Do what is due; seconds until there may be more to do without any change, None: never.

        Never raises a failure: it is told, remembered in `standing`, and everything tried again.
        """
        try:
            with contained(self._ref):
                return self._look()
        except NotFound:
            self.standing = Standing(self._ref)
            return None
        except KanfuncError as failure:
            if failure.found != self.standing.failure:
                self._ports.journal.warn("look failed", cluster=str(self._ref), reason=str(failure))
            self.standing = replace(self._seen, failure=failure.found)
            return RETRY_SECONDS

    def _look(self) -> float | None:
        cluster = self._ports.api.cluster(self._ref)
        if not concerns_us(cluster):
            self.standing = Standing(self._ref)
            return None
        self._seen = Standing(
            self._ref,
            protected_since=cluster.created if is_protected(cluster) and not cluster.hibernated else None,
            restore=own_outcome_of(cluster),
            elected=self.standing.elected,
        )
        record = own_record_of(cluster)
        stands = record is not None and _may_stand(cluster, record)
        if record is None and record_of(cluster) is not None:
            self._seen = replace(self._seen, relic=True)
            self._tell_once("relic", "restore not verified", cluster=str(self._ref))
        self._seen = replace(self._seen, record=record)
        if stands:
            lost, stake = self.standing.primary_lost, self.standing.bytes_at_stake
            self._seen = replace(self._seen, primary_lost=lost, bytes_at_stake=stake)
        waits = [
            self._mind_fence(cluster, record) if record and stands else None,
            self._mind_return(cluster, record) if record and not record.live else None,
            self._mind_election() if wants_election(cluster) and not cluster.hibernated else None,
        ]
        self.standing = self._seen
        return min((wait for wait in waits if wait is not None), default=None)

    def _mind_fence(self, cluster: Cluster, record: Record) -> float:
        world = self._ports.api.world(self._ref, cluster)
        lost = primary_lost(world, record)
        self._seen = replace(self._seen, primary_lost=False, bytes_at_stake=None)
        if self._primary.lasts(away=lost):
            self._mind_loss(world, record)
        elif not lost:
            self._ask_primary(world, record)
            if end_expired(self._ref, self._ports):
                self._note_end()
        until = (record.deadline - cluster.read_at).total_seconds()
        return min(FENCE_LOOK_SECONDS, until if until > 0 else FENCE_LOOK_SECONDS, self._limits.patience)

    def _mind_return(self, cluster: Cluster, record: Record) -> float | None:
        """After a fence, until its instance was seen to stream once. Fenced by others it is no alarm."""
        away = cluster.hibernated or cluster.deleting or cluster.fenced.names(record.instance)
        if away or record.fenced is None or record.ended is None:
            return None
        if self._back is None or self._back[0] != record.id:
            world = self._ports.api.world(self._ref, cluster)
            if not is_back(world, record, self._replication(world)):
                self._stood = record.id
                self._seen = replace(self._seen, away=True)
                return FENCE_LOOK_SECONDS
            passed = (cluster.read_at - record.ended).total_seconds()
            self._back = (record.id, passed if self._stood == record.id else None)
        self._seen = replace(self._seen, return_seconds=self._back[1])
        return None

    def _ask_primary(self, world: World, record: Record) -> None:
        """How far it is, as long as it can be asked."""
        self._stood = record.id
        if record.proof is not None and record.live:
            self._primary_said = self._replication(world) or self._primary_said

    def _replication(self, world: World) -> Replication | None:
        if world.primary is None:
            return None
        try:
            return self._ports.shell.replication(self._ref, world.primary.name)
        except (ExecFailed, NotFound) as error:
            self._ports.journal.warn("primary not asked", cluster=str(self._ref), reason=error.found)
            return None

    def _mind_loss(self, world: World, record: Record) -> None:
        cluster = world.cluster
        stake = bytes_at_stake(self._primary_said, record)
        self._seen = replace(self._seen, primary_lost=True, bytes_at_stake=stake)
        bytes_ahead = "an unknown number of" if stake is None else stake
        message = (
            f"nobody leads while fence {record.id} keeps {record.instance} stopped; when last asked, "
            f"{cluster.current_primary} was {bytes_ahead} bytes of WAL "
            f"ahead of {record.instance}; policy: {self._limits.on_primary_lost}. Bring the primary back, or "
            "see another replica promoted, before the fence is lifted"
        )
        if self._tell_once(record.id, "primary lost", cluster=str(self._ref), reason=message):
            self._ports.api.announce(cluster, "PrimaryLostWhileFenced", message, warning=True)
        if self._limits.on_primary_lost is OnPrimaryLost.RELEASE and record.live:
            release(
                self._ports,
                world,
                record.id,
                Verdict.BROKEN,
                reason="its cluster lost its primary",
                on_primary_lost=OnPrimaryLost.RELEASE,
            )
            self._note_end()

    def _note_end(self) -> None:
        self.ended += 1
        record = own_record_of(self._ports.api.cluster(self._ref))
        self._seen = replace(self._seen, record=record)

    def _mind_election(self) -> float | None:
        elected = elect(self._ref, self._ports, patient=True)
        if elected and self._elected.lasts(away=not elected.ready):
            elected = elect(self._ref, self._ports)
        if elected is None:
            return None
        if elected.instance != self._seen.elected:
            self._ports.journal.step("elected", cluster=str(self._ref), instance=elected.instance)
        self._seen = replace(self._seen, elected=elected.instance)
        return None if elected.ready else self._limits.patience

    def _tell_once(self, key: str, step: str, **fields: object) -> bool:
        if key in self._told:
            return False
        self._told.add(key)
        self._ports.journal.warn(step, **fields)
        return True


def _may_stand(cluster: Cluster, record: Record) -> bool:
    """Whether something of this fence stands, or a command may still put an entry there."""
    return record.live or bool(record.pending(cluster.read_at)) or bool(record.owned_entries(cluster))
