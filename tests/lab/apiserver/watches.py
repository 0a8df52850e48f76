"""Watches: changes of selected objects, as they happen, over one HTTP response."""

import asyncio
import json
from collections.abc import Awaitable, Callable

from aiohttp import web

from tests.lab.apiserver.errors import StatusError, bad_request
from tests.lab.apiserver.journal import Event
from tests.lab.apiserver.resources import Manifest, Resource
from tests.lab.apiserver.routes import flag
from tests.lab.apiserver.selectors import Selection
from tests.lab.apiserver.store import Store

_DEFAULT_TIMEOUT = 1800.0
_BOOKMARK_BEFORE_END = 2.0

_Send = Callable[[str, Manifest], Awaitable[None]]
_Inbox = asyncio.Queue[Event | None]


class Watches:
    """All open watches of one server; lives in the server's event loop."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._open: dict[_Inbox, web.BaseRequest] = {}

    async def serve(self, http: web.BaseRequest, selection: Selection) -> web.StreamResponse:
        """Stream until the client's timeoutSeconds are over, the client leaves or `close()`.

        From resourceVersion "" or "0" the present objects come first, as ADDED. A version that is too old
        becomes an ERROR event in a successful response, as the real server does it.
        """
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        response.enable_chunked_encoding()

        async def send(change: str, manifest: Manifest) -> None:
            await response.write(json.dumps({"type": change, "object": manifest}).encode() + b"\n")

        since = _version(http)
        await response.prepare(http)
        try:
            await self._stream(http, selection, since, send)
        except StatusError as error:
            await send("ERROR", error.body())
        await response.write_eof()
        return response

    def cut(self) -> int:
        """Reset the connections of all open watches; how many there were."""
        for http in self._open.values():
            if http.transport is not None:
                http.transport.abort()
        return len(self._open)

    def close(self) -> None:
        """End all open watches in good order."""
        for inbox in self._open:
            inbox.put_nowait(None)

    async def _stream(self, http: web.BaseRequest, selection: Selection, since: int, send: _Send) -> None:
        if not since:
            present, since = self._store.snapshot(selection)
            for manifest in present:
                await send("ADDED", manifest)
        inbox: _Inbox = asyncio.Queue()
        loop = asyncio.get_running_loop()

        def listener(event: Event) -> None:
            loop.call_soon_threadsafe(inbox.put_nowait, event)

        missed = self._store.watch(since, listener)
        self._open[inbox] = http
        try:
            for event in missed:
                await _send_visible(selection, event, send)
            await self._follow(http, selection, inbox, send)
        finally:
            del self._open[inbox]
            self._store.unwatch(listener)

    async def _follow(self, http: web.BaseRequest, selection: Selection, inbox: _Inbox, send: _Send) -> None:
        timeout = float(http.query.get("timeoutSeconds") or _DEFAULT_TIMEOUT)
        end = asyncio.get_running_loop().time() + timeout
        if flag(http, "allowWatchBookmarks") and timeout > _BOOKMARK_BEFORE_END:
            if not await _follow_until(end - _BOOKMARK_BEFORE_END, selection, inbox, send):
                return
            await send("BOOKMARK", _bookmark(selection.resource, self._store.resource_version))
        await _follow_until(end, selection, inbox, send)


async def _follow_until(end: float, selection: Selection, inbox: _Inbox, send: _Send) -> bool:
    """Pass events on until that time of the loop; False when the server closes before."""
    try:
        async with asyncio.timeout_at(end):
            while (event := await inbox.get()) is not None:
                await _send_visible(selection, event, send)
    except TimeoutError:
        return True
    return False


async def _send_visible(selection: Selection, event: Event, send: _Send) -> None:
    """Send what an observer of the selection sees: an object that no longer fits is gone for it."""
    before = event.previous is not None and selection.includes(event.resource, event.previous)
    after = event.type != "DELETED" and selection.includes(event.resource, event.object)
    if before and not after:
        await send("DELETED", event.object)
    elif after:
        await send("MODIFIED" if before else "ADDED", event.object)


def _version(http: web.BaseRequest) -> int:
    version = http.query.get("resourceVersion", "") or "0"
    if not version.isdecimal():
        raise bad_request(f"resourceVersion: Invalid value: {version!r}")
    return int(version)


def _bookmark(resource: Resource, version: int) -> Manifest:
    return {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "metadata": {"resourceVersion": str(version)},
    }
