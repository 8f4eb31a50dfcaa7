"""Runs Debian's Chromium without a window, for tests, photographs and measurements of the console."""

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.async_api import Browser

NO_CHROMIUM = (
    "There is no Chromium: install it (apt-get install chromium-headless-shell), or name one in BURSAR_TEST_CHROMIUM."
)
#: Chromium's names on Debian and elsewhere. The first has no user interface, and takes two thirds of the CPU.
#: `BURSAR_TEST_CHROMIUM` names another one.
PROGRAMS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
#: Without a sandbox of its own, which the containers of tests do not allow; QUIC and updates would call other hosts.
FLAGS = ["--no-sandbox", "--disable-quic", "--disable-component-update", "--disable-background-networking"]
#: Answers what the layout of a page moved by itself since the page began.
SHIFTED = """() => new Promise((done) => {
  let sum = 0;
  new PerformanceObserver((list) => { for (const e of list.getEntries()) if (!e.hadRecentInput) sum += e.value; })
    .observe({ type: "layout-shift", buffered: true });
  setTimeout(() => done(sum), 50);
})"""


def chromium() -> Path | None:
    """Return where Chromium is; None if there is none."""
    named = os.environ.get("BURSAR_TEST_CHROMIUM")
    found = named or next((path for name in PROGRAMS if (path := shutil.which(name))), None)
    return Path(found) if found else None


@asynccontextmanager
async def launched() -> "AsyncIterator[Browser]":
    """Run one Chromium; raises RuntimeError where there is none."""
    from playwright.async_api import async_playwright  # it has a lock of its own, and may not be there

    program = chromium()
    if program is None:
        raise RuntimeError(NO_CHROMIUM)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=FLAGS, timeout=300_000)
        yield browser
        await browser.close()
