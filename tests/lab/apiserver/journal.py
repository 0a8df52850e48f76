"""What happened in the store, in order: the source of every watch."""

import queue
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, Self, TypeAlias

from tests.lab.apiserver.errors import expired
from tests.lab.apiserver.resources import Manifest, Resource

Change: TypeAlias = Literal["ADDED", "MODIFIED", "DELETED"]


@dataclass(frozen=True)
class Event:
    """One change. `object` is the new state (the last one, for DELETED), `previous` the one before.

    The manifests are the journal's own: read them, never write them.
    """

    type: Change
    resource: Resource
    object: Manifest
    previous: Manifest | None
    version: int


Listener: TypeAlias = Callable[[Event], None]


class Journal:
    """The latest `window` events and those who listen. Not thread-safe: the store holds its lock."""

    def __init__(self, version: int, window: int) -> None:
        self.version = version
        self._expired = version
        self._window = window
        self._events: deque[Event] = deque()
        self._listeners: list[Listener] = []

    def record(self, event: Event) -> None:
        """Append an event, forget the oldest beyond the window, tell the listeners."""
        self.version = event.version
        self._events.append(event)
        if len(self._events) > self._window:
            self._expired = self._events.popleft().version
        for listener in self._listeners:
            listener(event)

    def since(self, version: int) -> list[Event]:
        """Events after `version`; StatusError (410 Expired) when some of them are forgotten."""
        if version < self._expired:
            raise expired(version, self._expired)
        return [event for event in self._events if event.version > version]

    def expire(self) -> None:
        """Forget everything up to now."""
        self._events.clear()
        self._expired = self.version

    def listen(self, listener: Listener) -> None:
        """Call `listener`, which must not block, with every event from now on."""
        self._listeners.append(listener)

    def ignore(self, listener: Listener) -> None:
        """Stop calling `listener`."""
        self._listeners.remove(listener)


class Subscription:
    """Events of some resources (of all, if none is named) for one consuming thread.

    Iterating blocks for the next event and ends with `close()`, which any thread may call.
    """

    def __init__(self, resources: tuple[Resource, ...], cancel: Callable[[Listener], None]) -> None:
        self._resources = resources
        self._cancel = cancel
        self._events: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
        self._closed = False

    def offer(self, event: Event) -> None:
        """Take an event, if it is of a wanted resource (called by the store)."""
        if not self._resources or event.resource in self._resources:
            self._events.put(event)

    def next(self, timeout: float | None = None) -> Event | None:
        """The next event; None after `timeout` seconds without one, and when closed."""
        if self._closed:
            return None
        try:
            return self._events.get(timeout=timeout)
        except queue.Empty:
            return None

    @property
    def closed(self) -> bool:
        """Whether `close()` was called."""
        return self._closed

    def close(self) -> None:
        """Want no more events and wake the consumer. May be called again."""
        if not self._closed:
            self._closed = True
            self._cancel(self.offer)
            self._events.put(None)

    def __iter__(self) -> Iterator[Event]:
        while (event := self.next()) is not None:
            yield event

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
