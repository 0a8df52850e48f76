"""The Protocols between the operations and the world. Gateways implement them; tests may, too."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from kanfunc.domain.activity import Activity
from kanfunc.domain.candidacy import LabelChanges
from kanfunc.domain.examination import ExaminationLimits, Obstacle
from kanfunc.domain.facts import Bound, Inspection, Replay, Stopped
from kanfunc.domain.flavour import Flavour
from kanfunc.domain.hooks import Argv
from kanfunc.domain.inquiry import Answer, Question, Session
from kanfunc.domain.lsn import Lsn
from kanfunc.domain.record import Changes, Proof
from kanfunc.domain.replication import Replication
from kanfunc.domain.snapshots import VolumeSnapshot
from kanfunc.domain.survey import Survey
from kanfunc.domain.timeline import PrimaryFacts, PromotionFacts, ResumptionFacts, Switch
from kanfunc.domain.world import Change, Cluster, ClusterRef, Instance, Listed, RunningBackup, Volume, World


class Clock(Protocol):
    """Time of this process: only ever used to measure how long something took."""

    def monotonic(self) -> float:
        """Seconds since some fixed moment."""

    def sleep(self, seconds: float) -> None:
        """Let that many seconds pass."""


class ClusterApi(Protocol):
    """The API server. Every method may raise ApiFailed; what is not there is NotFound."""

    def clusters(self, namespace: str, flavour: Flavour) -> tuple[Listed, ...]:
        """Its Clusters of the namespace, in the order of their names; NotFound where the type is unknown."""

    def cluster(self, ref: ClusterRef) -> Cluster:
        """The Cluster as it is now."""

    def world(self, ref: ClusterRef, cluster: Cluster | None = None) -> World:
        """The Cluster first, unless it was just read, then its pods, volumes and running Backups."""

    def instances(self, ref: ClusterRef) -> tuple[Instance, ...]:
        """The pods of its instances."""

    def volumes(self, ref: ClusterRef) -> tuple[Volume, ...]:
        """All its volumes."""

    def running_backups(self, ref: ClusterRef) -> tuple[RunningBackup, ...]:
        """The operator's own Backups of that cluster that have not ended."""

    def annotate(self, cluster: Cluster, changes: Changes, *, exact: bool = False) -> Cluster:
        """Set or remove annotations, on condition that this is still the Cluster with the annotations that
        were read; else Conflict. exact: that it was not written at all since, by anybody.
        Returns the Cluster as it is then.
        """

    def label(self, ref: ClusterRef, target: Instance | Volume, changes: LabelChanges) -> None:
        """Set or remove labels of a pod or volume of that cluster, on condition that it is still the object
        with the labels that were read; else Conflict.
        """

    def watch_cluster(self, ref: ClusterRef, seconds: float) -> Iterator[Cluster]:
        """The Cluster now and after each change, for at most that long; WatchBroken when cut."""

    def watch_instance(self, ref: ClusterRef, name: str, seconds: float) -> Iterator[Instance | None]:
        """The pod now and after each change (None while there is none); WatchBroken when cut."""

    def watch_snapshots(self, namespace: str, seconds: float) -> Iterator[tuple[VolumeSnapshot, ...]]:
        """All VolumeSnapshots of the namespace, now and after each change; WatchBroken when cut."""

    def snapshots(self, namespace: str) -> tuple[VolumeSnapshot, ...]:
        """All VolumeSnapshots of the namespace; none where the cluster does not know the type."""

    def without_snapshot_class(self, volumes: Sequence[Volume]) -> tuple[str, ...]:
        """Names of the volumes whose driver has no VolumeSnapshotClass: their snapshots cannot be seen."""

    def other_pods(self, ref: ClusterRef) -> tuple[str, ...]:
        """Names of the pods in its namespace that run and belong neither to a cluster nor to us."""

    def announce(self, cluster: Cluster, reason: str, message: str, *, warning: bool = False) -> None:
        """An Event on the Cluster. Never raises: an Event is news, not a step."""


class Fleet(Protocol):
    """All clusters of an operator, in one namespace or (None) everywhere.

    Each iterator yields everything there is first, then change by change, without end. Raises WatchBroken
    when its position was lost (call again), NotFound where the type is unknown, else ApiFailed.
    """

    def clusters(self, flavour: Flavour, namespace: str | None) -> Iterator[Sequence[Change]]:
        """The Clusters themselves. Their `read_at` is that of the list."""

    def pods(self, flavour: Flavour, namespace: str | None) -> Iterator[Sequence[Change]]:
        """Whose pods there are, or changed."""

    def volumes(self, flavour: Flavour, namespace: str | None) -> Iterator[Sequence[Change]]:
        """Whose PersistentVolumeClaims there are, or changed."""


class InstanceShell(Protocol):
    """What we do inside the pods: few commands, each whole and limited in time (seconds) within the pod.

    Every method may raise ExecFailed, and NotFound where the pod is gone.
    """

    def replication(self, ref: ClusterRef, primary: str) -> Replication:
        """The primary's role and its standbys."""

    def emit_bound(self, ref: ClusterRef, primary: str, fence_id: str) -> Bound:
        """Commit one transaction that carries the fence id in the log, waiting for no standby."""

    def await_replay(self, ref: ClusterRef, instance: str, bound: Lsn, seconds: float) -> Replay:
        """Block until the standby has replayed `bound`; the answer says whether it did in time."""

    def run_hook(self, ref: ClusterRef, instance: str, argv: Argv, seconds: float) -> None:
        """Run a command of the operator."""

    def await_stopped(self, ref: ClusterRef, instance: str, seconds: float) -> Stopped:
        """Block until no postmaster runs, then read the files."""

    def inspect(self, ref: ClusterRef, instance: Instance, volumes: Sequence[Volume]) -> Inspection:
        """Look, and change nothing."""

    def inscribe(
        self, ref: ClusterRef, instance: Instance, volumes: Sequence[Volume], name: str, text: str
    ) -> None:
        """Write a file into the root of every volume and force the whole volume to disk."""

    def erase_marks(
        self, ref: ClusterRef, instance: Instance, volumes: Sequence[Volume], fence_id: str
    ) -> None:
        """Remove the marks of that fence, and no others."""

    def await_streaming(
        self, ref: ClusterRef, primary: str, instance: str, seconds: float, *, caught_up: bool
    ) -> bool:
        """Block until the instance streams from the primary (caught_up: has replayed what it has now)."""

    def await_writable(self, ref: ClusterRef, primary: str, seconds: float) -> bool:
        """Block until the instance accepts connections and is not in recovery."""

    def activity(self, ref: ClusterRef, primary: str) -> Activity:
        """What acts in its databases by itself, as far as that can be seen within a minute."""

    def primary_facts(self, ref: ClusterRef, primary: str, xid: str) -> PrimaryFacts:
        """Identity, timeline with its history, and the fate of a transaction."""

    def superusers(self, ref: ClusterRef, primary: str, users: Sequence[str]) -> tuple[str, ...]:
        """Those of these users who are superusers, or can make themselves one."""

    def promotion(self, ref: ClusterRef, instance: str, switch: Switch) -> PromotionFacts:
        """Traces of the promotion to `switch.child` on that instance's volume."""

    def resumption(self, ref: ClusterRef, instance: str, proof: Proof) -> ResumptionFacts:
        """What follows the shutdown checkpoint of a cold primary in that instance's WAL."""


Ask = Callable[[Question], Answer]
"""To put one question to a database."""


class DatabaseClient(Protocol):
    """The way of an application: over the network, with verified TLS. Every method may raise ClientFailed."""

    def conversation(self, session: Session) -> AbstractContextManager[Ask]:
        """To ask in one read-only transaction; nothing is fetched beyond what is of interest.

        Raises Refused, too: where the user is a superuser.
        """

    def log_in(self, session: Session) -> str:
        """Write a temporary table and read it back; the version of TLS."""

    def addresses(self, user: str) -> list[tuple[str, str]]:
        """Key and host of whatever that user's credentials hold besides."""


Follow = Callable[[Callable[[str], None]], None]
"""To read what a command writes until it has ended, telling each line."""


class StructureShell(Protocol):
    """How the structure of a restored database is looked at. Raises as InstanceShell does."""

    def survey(self, ref: ClusterRef, primary: str, seconds: float) -> Survey:
        """What catalogs and file sizes say."""

    def prepare(self, ref: ClusterRef, primary: str, limits: ExaminationLimits) -> tuple[Obstacle, ...]:
        """Install the extensions if asked to; what is in pg_amcheck's way."""

    def examining(
        self, ref: ClusterRef, primary: str, limits: ExaminationLimits, *, amcheck: bool
    ) -> AbstractContextManager[Follow]:
        """The look for lost pages, and pg_amcheck if it may run, at work from now on; the body may follow it.
        A failure of the body ends all of it there.
        """


class Journal(Protocol):
    """Where the story is told: one line per step, and the outputs that Kanister keeps."""

    def step(self, name: str, **fields: object) -> None:
        """Something was done or seen."""

    def warn(self, name: str, **fields: object) -> None:
        """Something is not as it should be, and the work goes on."""

    def output(self, key: str, value: str) -> None:
        """A phase output. Key: letters, digits and underscores."""


@dataclass(frozen=True)
class Ports:
    """The world as one operation sees it."""

    api: ClusterApi
    shell: InstanceShell
    structure: StructureShell
    journal: Journal
    clock: Clock
