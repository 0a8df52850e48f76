"""One cluster under the watchdog's eyes: its fence ends in time, its election stands, danger is told."""

from dataclasses import dataclass, replace
from enum import StrEnum

from kanfunc.domain.adapter import is_of_another_product
from kanfunc.domain.errors import ExecFailed, KanfuncError, NotFound
from kanfunc.domain.record import Record, Verdict, own_record_of, record_of
from kanfunc.domain.replication import Replication
from kanfunc.domain.standing import Standing, bytes_at_stake, concerns_us, primary_lost, wants_election
from kanfunc.domain.world import Cluster, ClusterRef, World
from kanfunc.operations.elect import elect
from kanfunc.operations.expiry import end_expired
from kanfunc.operations.release import release
from kanfunc.ports import Clock, Ports

FENCE_LOOK_SECONDS = 30.0
"""While a fence stands: how often the primary is asked how far it is, for the day that it is lost."""
RETRY_SECONDS = 30.0
"""After a look that came to nothing."""


class OnPrimaryLost(StrEnum):
    """What becomes of a fence when nobody leads the cluster any more."""

    HOLD = "hold"
    """It stands, beyond its deadline: lifted, the stale replica could be promoted, and commits be lost."""
    RELEASE = "release"
    """It goes: the cluster comes back with what the fenced instance has."""


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
        self._told: set[str] = set()

    def look(self) -> float | None:
        """Do what is due; seconds until there may be more to do without any change, None: never.

        Never raises a failure: it is told, remembered in `standing`, and everything tried again.
        """
        try:
            return self._look()
        except NotFound:
            self.standing = Standing(self._ref)
            return None
        except KanfuncError as failure:
            self._ports.journal.warn("look failed", cluster=str(self._ref), reason=str(failure))
            self.standing = replace(self.standing, failure=failure.found)
            return RETRY_SECONDS

    def _look(self) -> float | None:
        cluster = self._ports.api.cluster(self._ref)
        self.standing = Standing(self._ref, elected=self.standing.elected)
        if not concerns_us(cluster) or is_of_another_product(cluster):
            return None
        record = own_record_of(cluster)
        if record is None and record_of(cluster) is not None:
            self.standing = replace(self.standing, relic=True)
            self._tell_once("relic", "restore not verified", cluster=str(self._ref))
        self.standing = replace(self.standing, record=record)
        waits = [
            self._mind_fence(cluster, record) if record and _may_stand(cluster, record) else None,
            self._mind_election() if wants_election(cluster) and not cluster.hibernated else None,
        ]
        return min((wait for wait in waits if wait is not None), default=None)

    def _mind_fence(self, cluster: Cluster, record: Record) -> float:
        world = self._ports.api.world(self._ref)
        lost = primary_lost(world, record)
        if self._primary.lasts(away=lost):
            self._mind_loss(cluster, record)
        elif not lost:
            self._ask_primary(world, record)
            if end_expired(self._ref, self._ports):
                self._note_end()
        until = (record.deadline - cluster.read_at).total_seconds()
        return min(FENCE_LOOK_SECONDS, until if until > 0 else FENCE_LOOK_SECONDS, self._limits.patience)

    def _ask_primary(self, world: World, record: Record) -> None:
        """How far it is, as long as it can be asked."""
        if world.primary is None or record.proof is None or not record.live:
            return
        try:
            self._primary_said = self._ports.shell.replication(self._ref, world.primary.name)
        except (ExecFailed, NotFound) as error:
            self._ports.journal.warn("primary not asked", cluster=str(self._ref), reason=error.found)

    def _mind_loss(self, cluster: Cluster, record: Record) -> None:
        stake = bytes_at_stake(self._primary_said, record)
        self.standing = replace(self.standing, primary_lost=True, bytes_at_stake=stake)
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
            release(self._ports, self._ref, record.id, Verdict.BROKEN, reason="its cluster lost its primary")
            self._note_end()

    def _note_end(self) -> None:
        self.ended += 1
        record = own_record_of(self._ports.api.cluster(self._ref))
        self.standing = replace(self.standing, record=record)

    def _mind_election(self) -> float | None:
        elected = elect(self._ref, self._ports, patient=True)
        if elected and self._elected.lasts(away=not elected.ready):
            elected = elect(self._ref, self._ports)
        if elected is None:
            return None
        if elected.instance != self.standing.elected:
            self._ports.journal.step("elected", cluster=str(self._ref), instance=elected.instance)
        self.standing = replace(self.standing, elected=elected.instance)
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
