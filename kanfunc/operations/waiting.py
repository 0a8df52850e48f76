"""The one function that waits, and the one way of changing a Cluster."""

from collections.abc import Callable, Iterator
from typing import TypeVar

from kanfunc.domain.errors import ApiFailed, Conflict, KanfuncError, Terminated, WaitTimeout, WatchBroken
from kanfunc.domain.record import Changes
from kanfunc.domain.unexpected import contained
from kanfunc.domain.world import Cluster, ClusterRef
from kanfunc.ports import Clock, ClusterApi, Ports

T = TypeVar("T")

_PAUSE_SECONDS = 0.5
"""Between a watch that ended and the next: an API server in trouble is not hammered."""

_EDIT_ATTEMPTS = 20
"""A Cluster's annotations change seldom; who loses this often is fighting with another controller."""


def wait_until(
    watch: Callable[[float], Iterator[T]],
    accept: Callable[[T], bool],
    *,
    clock: Clock,
    seconds: float,
    what: str,
    describe: Callable[[T], str],
    remedy: str,
) -> T:
    """Follow a watch until a state is accepted, and return that state.

    A watch that ends early or is cut is opened again. Raises WaitTimeout with what was last seen.
    """
    end = clock.monotonic() + seconds
    seen, trouble = "nothing was seen", ""
    while (left := end - clock.monotonic()) > 0:
        try:
            for state in watch(left):
                if accept(state):
                    return state
                seen, trouble = describe(state), ""
        except WatchBroken as broken:
            trouble = f" (since then the watch was cut: {broken.found})"
        clock.sleep(min(_PAUSE_SECONDS, max(0.0, end - clock.monotonic())))
    raise WaitTimeout(f"after {seconds:g} s: {seen}{trouble}", expected=what, remedy=remedy)


def edit(
    api: ClusterApi,
    ref: ClusterRef,
    decide: Callable[[Cluster], Changes],
    *,
    exact: bool = False,
    read: Cluster | None = None,
) -> Cluster:
    """Read, decide, write on condition that nothing changed meanwhile; all of it again on a conflict.

    exact: whatever was written to the Cluster meanwhile is a conflict, its status included.
    read: the Cluster as it was read before, for the first attempt. Returns it as it is in the end.

    `decide` returns {} when there is nothing (more) to change, so that a rerun ends in the same place.
    """
    for _ in range(_EDIT_ATTEMPTS):
        cluster, read = read or api.cluster(ref), None
        changes = decide(cluster)
        if not changes:
            return cluster
        try:
            return api.annotate(cluster, changes, exact=exact)
        except Conflict:
            continue
    raise ApiFailed(
        f"Cluster {ref} changed under each of {_EDIT_ATTEMPTS} attempts to write its annotations",
        remedy="find out which controller rewrites its annotations all the time",
    )


def note(ports: Ports, ref: ClusterRef, decide: Callable[[Cluster], Changes]) -> None:
    """An edit that no decision depends on: where it cannot be written that is told, and no more."""
    try:
        with contained(ref):
            edit(ports.api, ref, decide)
    except Terminated:
        raise
    except KanfuncError as failure:
        ports.journal.warn("not noted", cluster=str(ref), reason=failure.found)
