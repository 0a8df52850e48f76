"""The watchdog: follows all clusters and has each looked after when something changed or is due."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from queue import Empty, SimpleQueue
from threading import Event, Thread

from kanfunc.domain.errors import KanfuncError, NotFound, Terminated
from kanfunc.domain.flavour import Flavour
from kanfunc.domain.standing import Standing, concerns_us
from kanfunc.domain.unexpected import what_of
from kanfunc.domain.world import Change, ClusterRef, Listed, Unreadable
from kanfunc.operations.guard import RETRY_SECONDS, Guard, GuardLimits
from kanfunc.ports import Fleet, Ports

_BROKEN_SECONDS = 5.0
"""Between a watch that broke and the next list: an API server in trouble is not hammered."""
_UNKNOWN_SECONDS = 300.0
"""An operator that is not installed may be, some day."""
_BEAT_SECONDS = 10.0
"""The loop turns at least this often, so that one that hangs is told from one that rests."""

Watch = Callable[[], Iterator[Sequence[Change]]]


@dataclass
class _Post:
    """A guard and when it looks next; `seen` is what of its Cluster makes a look worth while.

    Only the loop touches it, and there are never two looks at one cluster at once.
    """

    guard: Guard
    seen: object = None
    due: float | None = None
    looking: bool = False
    again: bool = False


@dataclass
class Watchdog:
    """Runs until it is terminated. Its public attributes may be read from other threads.

    scope: namespaces, or (None,) for all. `breaks` counts watches that broke, `beat` is when the loop turned
    last, on the clock of `ports`; `share` is how many clusters of one namespace are looked at at once,
    `listed` are the watches that have seen everything there is.
    """

    ports: Ports
    fleet: Fleet
    flavours: Sequence[Flavour]
    scope: Sequence[str | None]
    limits: GuardLimits
    share: int = 2
    breaks: int = 0
    beat: float = 0.0
    listed: set[str] = field(default_factory=set)
    _ended_before: int = 0
    _looking: Counter[str] = field(default_factory=Counter)
    _posts: dict[ClusterRef, _Post] = field(default_factory=dict)
    _inbox: SimpleQueue[Callable[[], None]] = field(default_factory=SimpleQueue)
    _stop: Event = field(default_factory=Event)

    def run(self, workers: Executor) -> None:
        """Watch, and have guards look in `workers`, until a signal ends it: then in peace."""
        for name, watch in self.watches().items():
            Thread(target=self._follow, args=(name, watch), name=name, daemon=True).start()
        try:
            while True:
                self._turn(workers)
        except Terminated as end:
            self.ports.journal.step("watchdog ends", reason=end.found)
        finally:
            self._stop.set()

    def watches(self) -> dict[str, Watch]:
        """What is followed: pods for lost primaries and elections, volumes for elections only."""
        found: dict[str, Watch] = {}
        for flavour in self.flavours:
            kinds = [self.fleet.clusters, self.fleet.pods]
            kinds += [] if flavour.has_adapter else [self.fleet.volumes]
            for kind in kinds:
                for namespace in self.scope:
                    name = f"{kind.__name__} {flavour.name} {namespace or 'everywhere'}"
                    found[name] = partial(kind, flavour, namespace)
        return found

    @property
    def standings(self) -> list[Standing]:
        """What is known of every cluster that concerns us."""
        return [post.guard.standing for post in list(self._posts.values())]

    @property
    def ended(self) -> int:
        """How many fences this watchdog has ended."""
        return self._ended_before + sum(post.guard.ended for post in list(self._posts.values()))

    def _follow(self, name: str, watch: Watch) -> None:
        """Hand on whatever changes, for ever; whatever breaks begins anew with a list."""
        while not self._stop.is_set():
            try:
                everything = True
                for changes in watch():
                    self._inbox.put(partial(self._take, changes, everything=everything))
                    everything = False
                    del changes  # the next may come in days
                    self.listed.add(name)
            except NotFound:
                self.listed.add(name)
                self._stop.wait(_UNKNOWN_SECONDS)
            except Exception as error:  # noqa: BLE001 - a watch that ended for ever would be missed by nobody
                self.breaks += 1
                self.ports.journal.warn("watch broken", watch=name, reason=_found(error))
                self._stop.wait(_BROKEN_SECONDS)

    def _turn(self, workers: Executor) -> None:
        now = self.ports.clock.monotonic()
        self.beat = now
        wait = min([_BEAT_SECONDS, *(max(0.0, due - now) for due, _ in self._dues())])
        with suppress(Empty):
            self._do(self._inbox.get(timeout=wait))
        now = self.ports.clock.monotonic()
        for due, ref in sorted(self._dues(), key=lambda each: each[0]):
            if due <= now and self._has_room(ref):
                post = self._posts[ref]
                post.due, post.looking = None, True
                self._looking[ref.namespace] += 1
                workers.submit(post.guard.look).add_done_callback(partial(self._report, ref))

    def _dues(self) -> list[tuple[float, ClusterRef]]:
        """When to look at whom next, where that may be."""
        return [
            (post.due, ref)
            for ref, post in self._posts.items()
            if post.due is not None and not post.looking and self._has_room(ref)
        ]

    def _has_room(self, ref: ClusterRef) -> bool:
        """A look may take minutes, and as long as the cluster's pods like: the others' do not wait for it."""
        return self._looking[ref.namespace] < self.share

    def _do(self, news: Callable[[], None]) -> None:
        """News that cannot be taken in is lost; the loop, which is there for all clusters, goes on."""
        try:
            news()
        except KanfuncError:  # a signal
            raise
        except Exception as error:  # noqa: BLE001 - of whatever nobody foresaw
            self.ports.journal.warn("news lost", reason=what_of(error))

    def _report(self, ref: ClusterRef, look: Future[float | None]) -> None:
        """In the worker's thread: the loop does the rest."""
        self._inbox.put(partial(self._done, ref, look))

    def _take(self, changes: Sequence[Change], *, everything: bool) -> None:
        """Note who is to be looked at. After a gap also those that are not listed: they may be gone."""
        changed = {change.ref for change in changes if self._may_be_news(change)}
        if everything:
            changed |= self._posts.keys() - {change.ref for change in changes}
        for ref in changed & self._posts.keys():
            post = self._posts[ref]
            post.due, post.again = self.ports.clock.monotonic(), post.looking

    def _may_be_news(self, change: Change) -> bool:
        """A Cluster of an odd shape is looked at: the look finds out, and tells of it by its name."""
        try:
            return change.cluster is None or self._is_news(change.ref, change.cluster)
        except KanfuncError:  # a signal
            raise
        except Exception:  # noqa: BLE001 - of whatever shape it is
            self._post(change.ref)
            return True

    def _post(self, ref: ClusterRef) -> _Post:
        return self._posts.setdefault(ref, _Post(Guard(ref, self.ports, self.limits)))

    def _is_news(self, ref: ClusterRef, cluster: Listed) -> bool:
        """A Cluster's status changes often; a look is worth it when we, others or a fail-over wrote to it."""
        if isinstance(cluster, Unreadable):
            self._post(ref)
            return True
        if concerns_us(cluster):
            self._post(ref)
        post = self._posts.get(ref)
        seen = (cluster.uid, cluster.annotations, cluster.current_primary, cluster.target_primary)
        if post is None or post.seen == seen:
            return False
        post.seen = seen
        return True

    def _done(self, ref: ClusterRef, look: Future[float | None]) -> None:
        """Plan the next look."""
        post = self._posts[ref]
        post.looking = False
        self._looking[ref.namespace] -= 1
        if not self._looking[ref.namespace]:
            del self._looking[ref.namespace]
        failed = look.exception()  # a look raises nothing but what ends the process
        wait = RETRY_SECONDS if failed else look.result()
        if not post.again:
            post.due = None if wait is None else self.ports.clock.monotonic() + wait
        post.again = False
        if post.due is None and post.guard.standing == Standing(ref):
            self._ended_before += self._posts.pop(ref).guard.ended


def _found(error: Exception) -> str:
    return error.found if isinstance(error, KanfuncError) else what_of(error)
