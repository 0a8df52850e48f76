"""The report in a real browser: nothing fetched, nothing logged, legible in light and dark."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from kanfunc.domain.report import Report
from kanfunc.gateways.html import render
from tests.report.browser import CHROMIUM, Page, opened
from tests.report.samples import bad, good

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here; `make setup` installs it as root")

OVERLAPS = """
(() => {
  const boxes = [...document.querySelectorAll('svg')].map(svg => [...svg.querySelectorAll('text')].map(
    text => [text.textContent.trim(), text.getBoundingClientRect(), svg.getBoundingClientRect()]));
  const found = [];
  for (const drawing of boxes) for (const [a, one, frame] of drawing) {
    if (one.left < frame.left - 1 || one.right > frame.right + 1) found.push(a + ' leaves the drawing');
    for (const [b, other] of drawing) if (a < b && one.left < other.right && other.left < one.right
        && one.top < other.bottom - 2 && other.top < one.bottom - 2) found.push(a + ' over ' + b);
  }
  return found;
})()
"""
CONTRAST = """
(() => {
  const light = color => { const [r, g, b] = color.match(/[\\d.]+/g).slice(0, 3).map(value => {
    const part = value / 255; return part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4; });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const behind = element => { for (let e = element; e; e = e.parentElement) {
    const color = getComputedStyle(e).backgroundColor;
    if (!color.endsWith(', 0)')) return light(color); } return 1; };
  const texts = [...document.querySelectorAll('p, td, th, li, dt, dd, h1, h2, h3, .why, code')];
  return Math.min(...texts.map(each => {
    const [a, b] = [light(getComputedStyle(each).color), behind(each)].sort((x, y) => y - x);
    return (a + 0.05) / (b + 0.05); }));
})()
"""
BACKGROUND = "getComputedStyle(document.body).backgroundColor"


def look(report: Report, folder: Path, at: Callable[[Page], Awaitable[Any]]) -> Any:
    file = folder / "report.html"
    file.write_text(render(report), encoding="utf-8")

    async def run() -> Any:
        async with opened(file, folder / "profile") as page:
            return await at(page)

    return asyncio.run(run())


@pytest.mark.parametrize(("made", "verdict"), [(good, "Proven: content"), (bad, "Not proven")])
def test_report_is_legible_everywhere(made: Callable[[], Report], verdict: str, tmp_path: Path) -> None:
    async def seen(page: Page) -> None:
        assert await page.ask("document.querySelector('.verdict').textContent") == verdict
        assert await page.ask("document.querySelector('main').textContent.includes('tables, indexes')")
        assert await page.ask("document.querySelectorAll('svg[role=img][aria-label]').length") == 2
        assert await page.ask("document.querySelectorAll('img').length") == 0
        colors = {}
        for scheme in ("light", "dark"):
            await page.scheme(scheme)
            colors[scheme] = await page.ask(BACKGROUND)
            assert await page.ask(CONTRAST) >= 4.5, scheme
        assert colors["light"] != colors["dark"]
        for width in (390, 1100):
            await page.width(width)
            assert await page.ask("document.documentElement.scrollWidth") <= width
        assert await page.ask(OVERLAPS) == []
        assert await page.call("Page.printToPDF")
        requests = [
            each["params"]["request"]["url"] for each in page.events if _is(each, "Network.requestWill")
        ]
        assert all(url.startswith("file:") for url in requests), requests
        assert [
            each for each in page.events if _is(each, "Log.entry", "Runtime.console", "Runtime.exc")
        ] == []

    look(made(), tmp_path, seen)


def _is(event: dict[str, Any], *methods: str) -> bool:
    return str(event.get("method", "")).startswith(methods)
