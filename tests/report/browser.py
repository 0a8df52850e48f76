"""A headless Chromium, spoken to by its DevTools protocol: what a page logs, fetches and looks like."""

import asyncio
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
_OPTIONS = ("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--remote-debugging-port=0")
_START_SECONDS = 30.0


class Page:
    """One tab. `events` are those of the domains Log, Runtime and Network, in their order."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._number = 0
        self.events: list[dict[str, Any]] = []

    async def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send one command; the answer's result."""
        self._number += 1
        await self._socket.send_json({"id": self._number, "method": method, "params": parameters})
        while (answer := await self._socket.receive_json()).get("id") != self._number:
            self.events.append(answer)
        assert "error" not in answer, answer
        result: dict[str, Any] = answer["result"]
        return result

    async def open(self, file: Path) -> None:
        """Load a file and wait until it is laid out."""
        for domain in ("Page", "Log", "Runtime", "Network"):
            await self.call(f"{domain}.enable")
        await self.call("Page.navigate", url=file.as_uri())
        while not any(event.get("method") == "Page.loadEventFired" for event in self.events):
            self.events.append(await self._socket.receive_json())

    async def ask(self, expression: str) -> Any:
        """Value of an expression of JavaScript; scripts of the page itself are not allowed by its policy."""
        answer = await self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        return answer["result"].get("value")

    async def scheme(self, scheme: str) -> None:
        """Prefer light or dark."""
        await self.call(
            "Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}]
        )

    async def width(self, pixels: int) -> None:
        """Of the window."""
        metrics = {"width": pixels, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        await self.call("Emulation.setDeviceMetricsOverride", **metrics)


@asynccontextmanager
async def opened(file: Path, profile: Path) -> AsyncIterator[Page]:
    """A browser with that file in it."""
    assert CHROMIUM
    command = [CHROMIUM, *_OPTIONS, f"--user-data-dir={profile}", "about:blank"]
    browser = await asyncio.create_subprocess_exec(*command, stderr=subprocess.PIPE)
    try:
        async with asyncio.timeout(_START_SECONDS), aiohttp.ClientSession() as session:
            base = await _address(browser)
            async with session.get(f"http://{base}/json/list") as listed:
                [tab] = [each for each in await listed.json() if each["type"] == "page"]
            async with session.ws_connect(tab["webSocketDebuggerUrl"], max_msg_size=0) as socket:
                page = Page(socket)
                await page.open(file)
                yield page
    finally:
        browser.terminate()
        await browser.communicate()


async def _address(browser: asyncio.subprocess.Process) -> str:
    """Where it listens; it says so itself."""
    assert browser.stderr
    async for line in browser.stderr:
        if b"DevTools listening on ws://" in line:
            return line.decode().partition("ws://")[2].partition("/")[0]
    raise AssertionError("the browser ended before it listened")
