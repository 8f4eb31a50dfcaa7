"""Drives Debian's Chromium, and says all that a page does wrong: to readers, to the console, to other hosts."""

import html
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from axe_playwright_python.base import AXE_SCRIPT
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, Request, Response, expect

from dev.browser import SHIFTED
from dev.stack.running import Running
from tests.console.table import Page as Entry

#: Of a laptop, a tablet and a telephone.
WIDTHS = (1280, 768, 360)
#: The narrowest at which WCAG lets nothing scroll sideways.
NARROWEST = 320
THEMES = ("light", "dark")
HEIGHT = 900
#: How much a page may move by itself: a part of a pixel that is rounded otherwise counts too.
SHIFT = 0.02
#: How long anything may take to be seen, in milliseconds: a busy machine serves a stack, a browser and other tests.
PATIENCE = 120_000
expect.set_options(timeout=PATIENCE)
#: Every rule of WCAG 2.2 AA.
Asked = dict[str, Any]
AXE: Asked = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"],
    "rules": {"target-size": {"enabled": True}},
    "resultTypes": ["violations"],
    "preload": False,
}
#: Pages whose frame stands for that of all: they are asked every rule in every look.
FRAMES = ("/console/platform", "/console/{org}")


def _rules(*names: str) -> Asked:
    return {**AXE, "runOnly": {"type": "rule", "values": list(names)}}


#: What the width decides, and what the theme decides; of the rest every page is asked once.
BY_WIDTH = ("target-size", "scrollable-region-focusable")
NARROW = {768: _rules(*BY_WIDTH), 360: _rules(*BY_WIDTH, "color-contrast")}
#: The theme in which axe is asked at each width; pictures are in both.
ASKED_IN = dict(zip(WIDTHS, ("light", "light", "dark"), strict=True))
#: A picture of a longer page ends here: what is below repeats what is above.
LONGEST = 3000
#: Pages on a contact sheet, and its look.
ON_A_SHEET, SHEET_WIDTH = 12, 2400
SHEET = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Screens</title>
<style>body{font:16px sans-serif;background:#888;margin:16px}h2{font-size:16px;margin:16px 0 4px}
div{display:flex;gap:8px;align-items:flex-start}img{block-size:480px;max-inline-size:700px;object-fit:contain}</style>
"""
#: Where pictures of pages and their contact sheets go.
PICTURES = Path(__file__).resolve().parents[2] / "artefacts/screens"
#: Which persona of the seeded stack a role of the table is.
PERSONAS = {"owner": "client", "finance": "finance", "auditor": "auditor", "agent": "agent", "author": "studio"}
_SIDEWAYS = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
_WIDE = """() => [...document.querySelectorAll("body *")]
  .filter((e) => e.getBoundingClientRect().right > innerWidth + 1 && !e.parentElement.closest(".scroll, .tabs, .side"))
  .slice(0, 5).map((e) => e.tagName.toLowerCase() + (e.className ? "." + e.className : ""))"""
#: Text that has no room, and neither scrolls nor is whole when it is pointed at.
_CUT = """() => [...document.querySelectorAll("main *, header *, nav *")]
  .filter((e) => e.scrollWidth > e.clientWidth + 1 && e.clientWidth > 1 && !e.closest("[title], .unseen, input")
    && e.checkVisibility() && ["hidden", "clip"].includes(getComputedStyle(e).overflowX))
  .slice(0, 5).map((e) => e.outerHTML.slice(0, 120))"""


@dataclass
class Heard:
    """Log of a window while its pages ran: errors of scripts and of the policy, requests that failed or left."""

    home: str
    complaints: list[str] = field(default_factory=list)
    #: Answers that a test expects, such as that of a wrong key.
    expected: set[int] = field(default_factory=set)
    #: Hosts beside the console that a test leads to, such as a provider's sandbox.
    hosts: set[str] = field(default_factory=set)

    def listen(self, page: Page) -> None:
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.complaints.append(f"script: {error}"))
        page.on("request", self._request)
        page.on("requestfailed", self._failed)
        page.on("response", self._response)

    def _console(self, message: ConsoleMessage) -> None:
        # What failed to load is heard of as a response, with its address.
        if message.type in {"error", "warning"} and "Failed to load resource" not in message.text:
            self.complaints.append(f"console: {message.text}")

    def _request(self, request: Request) -> None:
        address = urlsplit(request.url)
        if address.scheme in {"http", "https"} and address.netloc not in {self.home, *self.hosts}:
            self.complaints.append(f"another host was asked: {request.url}")

    def _failed(self, request: Request) -> None:
        # A stream ends with its page.
        if request.resource_type != "eventsource" and "ERR_ABORTED" not in (request.failure or ""):
            self.complaints.append(f"failed: {request.url} {request.failure}")

    def _response(self, response: Response) -> None:
        if response.status >= 400 and response.status not in self.expected:
            self.complaints.append(f"{response.status}: {response.url}")


@dataclass
class Window:
    """A page of the console in a window of its own, signed in or not."""

    page: Page
    context: BrowserContext
    heard: Heard
    console_url: str

    async def go(self, path: str) -> Response | None:
        """Open a page of the console, which must not lead elsewhere; `path` begins with `/console`."""
        answer = await self.page.goto(self.console_url.removesuffix("/console") + path)
        assert urlsplit(self.page.url).path == urlsplit(path).path, f"{path} led to {self.page.url}"
        return answer

    async def sign_in(self, key: str) -> None:
        """Sign in with a key, as people do."""
        await self.go("/console/sign-in")
        await self.page.get_by_label("API key").fill(key)
        await self.page.get_by_role("button", name="Sign in", exact=True).click()
        await self.page.wait_for_url(lambda address: "/sign-in" not in address)

    async def findings(
        self, *, axe: bool = True, narrow: Mapping[int, Asked] | None = None, picture: str = ""
    ) -> list[str]:
        """Look at the page at every width; return all that is wrong, which should be nothing.

        Args:
            axe: False to ask no rule of axe.
            narrow: what axe is asked at the narrower widths.
            picture: what its pictures are called, one of each width and theme; empty for none.
        """
        found = [*self.heard.complaints]
        if (shifted := await self.page.evaluate(SHIFTED)) > SHIFT:
            found.append(f"the layout shifted by {shifted}")
        if axe:
            await self.page.evaluate(AXE_SCRIPT)
        for width in WIDTHS:
            await self._look(width)
            found += await self._laid_out(width)
            for theme in THEMES if picture else (ASKED_IN[width],):
                await self.page.emulate_media(color_scheme=theme)
                if axe and theme == ASKED_IN[width]:
                    found += [f"{width} {theme}: {line}" for line in await self._axe((narrow or {}).get(width, AXE))]
                if picture:
                    await self._photograph(PICTURES / f"{slug(picture)}.{width}.{theme}.jpg", width)
        await self._look(NARROWEST)
        found += await self._laid_out(NARROWEST)
        # The next page begins as this one did.
        await self._look(WIDTHS[0])
        await self.page.emulate_media(color_scheme="light")
        return found

    async def _look(self, width: int) -> None:
        await self.page.set_viewport_size({"width": width, "height": HEIGHT})

    async def _laid_out(self, width: int) -> list[str]:
        """Return what scrolls sideways or is cut."""
        found = [f"{width}: cut, {each}" for each in await self.page.evaluate(_CUT)]
        if await self.page.evaluate(_SIDEWAYS) > 0:
            found.append(f"{width}: scrolls sideways, {await self.page.evaluate(_WIDE)}")
        return found

    async def _photograph(self, file: Path, width: int) -> None:
        length = min(await self.page.evaluate("document.documentElement.scrollHeight"), LONGEST)
        clip = {"x": 0, "y": 0, "width": width, "height": length}
        await self.page.screenshot(path=file, type="jpeg", quality=60, full_page=True, clip=clip)

    async def _axe(self, asked: Asked) -> list[str]:
        results: dict[str, Any] = await self.page.evaluate("(options) => axe.run(document, options)", asked)
        return [
            f"{violation['id']} at {node['target'][0]}: {node['html'][:200]} {node['failureSummary'][:300]}"
            for violation in results["violations"]
            for node in violation["nodes"][:3]
        ]


@asynccontextmanager
async def window(
    browser: Browser,
    console_url: str,
    *,
    scripts: bool = True,
    theme: str = "light",
    width: int = WIDTHS[0],
    zone: str = "UTC",
) -> AsyncIterator[Window]:
    """Open a window that shares nothing with others. It can be used until the block ends.

    Args:
        browser: a Chromium.
        console_url: of the console, as `dev.json` has it.
        scripts: False for a reader who has switched them off.
        theme: `light` or `dark`, as the system is.
        width: of the window, in pixels.
        zone: the time zone of the system.
    """
    context = await browser.new_context(
        java_script_enabled=scripts,
        color_scheme="dark" if theme == "dark" else "light",
        viewport={"width": width, "height": HEIGHT},
        locale="en-GB",
        timezone_id=zone,
        reduced_motion="reduce",
    )
    context.set_default_timeout(PATIENCE)
    page = await context.new_page()
    heard = Heard(urlsplit(console_url).netloc)
    heard.listen(page)
    try:
        yield Window(page, context, heard, console_url)
    finally:
        await context.close()


def console_url(running: Running) -> str:
    """Return where the console of a stack is."""
    return f"{running.api_url.rstrip('/')}/console"


def role_of(roles: tuple[str, ...]) -> str:
    """Return the persona as whom a page is looked at: the first of its roles that the stack has seeded."""
    return next(PERSONAS.get(role, role) for role in roles if role not in {"admin", "member", "accountant"})


async def complaints_of(
    entry: Entry,
    signed_in: Callable[[str], Awaitable[Window]],
    path_of: Callable[[str], Awaitable[str]],
) -> list[str]:
    """Open a page of the table as one who may read it; return all that is wrong with it."""
    found = await signed_in(role_of(entry.roles))
    answer = await found.go(await path_of(entry.path))
    status = answer.status if answer is not None else None
    wrong = await found.findings(narrow=None if entry.path in FRAMES else NARROW, picture=entry.path)
    return [*([] if status == 200 else [f"status {status}"]), *wrong]


def slug(text: str) -> str:
    """Return a text as a part of a file's name."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


async def write_sheets(browser: Browser, name: str, titles: Sequence[str]) -> None:
    """Write contact sheets: a row for each page, its pictures of every width and theme."""
    for number, first in enumerate(range(0, len(titles), ON_A_SHEET), 1):
        rows = "".join(_row(title) for title in titles[first : first + ON_A_SHEET])
        sheet = PICTURES / f"{name}-{number}.html"
        sheet.write_text(SHEET + rows)
        async with window(browser, sheet.as_uri(), width=SHEET_WIDTH) as shown:
            await shown.page.goto(sheet.as_uri())
            await shown.page.screenshot(path=sheet.with_suffix(".jpg"), type="jpeg", quality=60, full_page=True)
        sheet.unlink()


def _row(title: str) -> str:
    names = [f"{slug(title)}.{width}.{theme}.jpg" for width in WIDTHS for theme in THEMES]
    return f"<h2>{html.escape(title)}</h2><div>{''.join(f'<img src={name}>' for name in names)}</div>"
