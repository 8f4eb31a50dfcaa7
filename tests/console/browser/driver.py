"""Drives Debian's Chromium, and says all that a page does wrong: to readers, to the console, to other hosts."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from axe_playwright_python.base import AXE_SCRIPT
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, Request, Response, expect

from dev.browser import SHIFTED
from dev.stack.running import Running
from tests.console.table import Page as Entry

WIDTHS = (1280, 320)
THEMES = ("light", "dark")
HEIGHT = 900
#: How much a page may move by itself: a part of a pixel that is rounded otherwise counts too.
SHIFT = 0.02
#: How long anything may take to be seen, in milliseconds: a busy machine serves a stack, a browser and other tests.
PATIENCE = 120_000
expect.set_options(timeout=PATIENCE)
#: How a page is looked at. In the other two pairs only colours could differ, which `test_contrast.py` computes for
#: every pair of tokens.
LOOKS = ((1280, "light"), (320, "dark"))
#: Every rule of WCAG 2.2 AA.
AXE: dict[str, Any] = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"],
    "rules": {"target-size": {"enabled": True}},
    "resultTypes": ["violations"],
    "preload": False,
}
#: Pages whose frame stands for that of all: they are asked every rule in both looks.
FRAMES = ("/console/platform", "/console/{org}")
#: What the width decides. Only the frame shows anything at the narrow one alone, and the gallery has every part asked
#: every rule in both looks; so the other pages are asked every rule in the first look, and these in the second.
BY_WIDTH: dict[str, Any] = {
    "runOnly": {"type": "rule", "values": ["target-size", "scrollable-region-focusable"]},
    "resultTypes": ["violations"],
    "preload": False,
}
#: Which persona of the seeded stack a role of the table is.
PERSONAS = {"owner": "client", "finance": "finance", "auditor": "auditor", "agent": "agent", "author": "studio"}
_SIDEWAYS = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
_WIDE = """() => [...document.querySelectorAll("body *")]
  .filter((e) => e.getBoundingClientRect().right > innerWidth + 1 && !e.parentElement.closest(".scroll, .tabs, .side"))
  .slice(0, 5).map((e) => e.tagName.toLowerCase() + (e.className ? "." + e.className : ""))"""


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

    async def findings(self, *, axe: bool = True, narrow: dict[str, Any] = AXE) -> list[str]:
        """Look at the page as `LOOKS` has it; return all that is wrong, which should be nothing.

        Args:
            axe: False to ask no rule of axe.
            narrow: what axe is asked in the second look.
        """
        found = [*self.heard.complaints]
        if (shifted := await self.page.evaluate(SHIFTED)) > SHIFT:
            found.append(f"the layout shifted by {shifted}")
        if axe:
            await self.page.evaluate(AXE_SCRIPT)
        for (width, theme), asked in zip(LOOKS, (AXE, narrow), strict=True):
            await self.page.set_viewport_size({"width": width, "height": HEIGHT})
            await self.page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
            if await self.page.evaluate(_SIDEWAYS) > 0:
                found.append(f"{width}: scrolls sideways, {await self.page.evaluate(_WIDE)}")
            if axe:
                found += [f"{width} {theme}: {line}" for line in await self._axe(asked)]
        # The next page begins as this one did.
        await self.page.set_viewport_size({"width": WIDTHS[0], "height": HEIGHT})
        await self.page.emulate_media(color_scheme="light")
        return found

    async def _axe(self, asked: dict[str, Any]) -> list[str]:
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
    narrow = AXE if entry.path in FRAMES else BY_WIDTH
    return [*([] if status == 200 else [f"status {status}"]), *await found.findings(narrow=narrow)]
