"""Photographs every page of the console in both themes and at two widths, with contact sheets to look through.

    python -m tests.console.screens [--out FOLDER] [--only TEXT …]

It starts a stack of its own, seeded and with objects in several states, and the gallery of parts.
"""

import argparse
import asyncio
import html
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path

import httpx2
from playwright.async_api import Browser

from dev.browser import launched
from dev.stack.running import Running
from tests.console.browser.driver import HEIGHT, THEMES, WIDTHS, Window, console_url, role_of, window
from tests.console.browser.objects import filled
from tests.console.gallery import files
from tests.console.table import PAGES
from tests.e2e.conftest import World
from tests.support.servers import TestServers, ask

OUT = Path(__file__).resolve().parents[1] / "artefacts/screens"
#: A page that is longer is cut here: what is below repeats what is above.
LONGEST = 4000
#: How many windows there are at once, how many pages each shows, and how many pages are on one contact sheet.
WINDOWS, AT_A_TIME, ON_A_SHEET = 3, 15, 20
SIGN_IN = "/console/sign-in"
SHEET = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Screens</title>
<style>body{font:14px sans-serif;background:#888;margin:16px}section{margin-bottom:24px}h2{margin:0 0 8px}
div{display:flex;gap:8px;align-items:flex-start}img{display:block;max-height:640px;border:1px solid #000}</style>
"""


def file_name(path: str, theme: str, width: int) -> str:
    """Return what a picture is called."""
    return f"{re.sub(r'[^a-z0-9]+', '-', path.lower()).strip('-')}.{theme}.{width}.png"


async def photograph(shown: Window, name: str, out: Path) -> list[str]:
    """Write the page that is shown in both themes and at both widths; return the files."""
    written = []
    for width in WIDTHS:
        await shown.page.set_viewport_size({"width": width, "height": HEIGHT})
        for theme in THEMES:
            await shown.page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
            length = min(await shown.page.evaluate("document.documentElement.scrollHeight"), LONGEST)
            file = file_name(name, theme, width)
            clip = {"x": 0, "y": 0, "width": width, "height": max(length, 1)}
            await shown.page.screenshot(path=out / file, full_page=True, clip=clip)
            written.append(file)
    return written


async def stack_pages(browser: Browser, out: Path, only: Sequence[str]) -> dict[str, list[str]]:
    """Photograph the pages of the table on a seeded stack, several windows at once."""
    running = Running.read(Path(ask("console")["data_dir"]) / "dev.json")
    sheet: dict[str, list[str]] = {}
    made: dict[str, str] = {}
    making, room = asyncio.Lock(), asyncio.Semaphore(WINDOWS)

    async def shoot_as(persona: str, paths: Sequence[str]) -> None:
        async with room, window(browser, console_url(running)) as shown:
            await shown.sign_in(running.keys[persona])
            for path in paths:
                # Objects are made one after the other, so that each is made once.
                async with making:
                    address = await filled(path, world, made)
                await shown.go(address)
                sheet[path] = await photograph(shown, path, out)

    async def shoot_sign_in() -> None:
        async with room, window(browser, console_url(running)) as shown:
            await shown.go(SIGN_IN)
            sheet[SIGN_IN] = await photograph(shown, SIGN_IN, out)

    chosen: dict[str, list[str]] = {}
    for entry in PAGES:
        if entry.roles and _is_wanted(entry.path, only):
            chosen.setdefault(role_of(entry.roles), []).append(entry.path)
    async with httpx2.AsyncClient(base_url=running.api_url, trust_env=False, timeout=60) as http:
        world = World(running, http)
        async with asyncio.TaskGroup() as shooting:
            for persona, paths in chosen.items():
                for first in range(0, len(paths), AT_A_TIME):
                    shooting.create_task(shoot_as(persona, paths[first : first + AT_A_TIME]))
            if _is_wanted(SIGN_IN, only):
                shooting.create_task(shoot_sign_in())
    return {path: sheet[path] for path in (SIGN_IN, *(entry.path for entry in PAGES)) if path in sheet}


def _is_wanted(path: str, only: Sequence[str]) -> bool:
    return not only or any(text in path for text in only)


async def parts(browser: Browser, out: Path) -> dict[str, list[str]]:
    """Photograph the gallery, which has every part in each of its states."""
    there = files()
    async with window(browser, "http://gallery.test") as shown:
        await shown.page.route(
            "http://gallery.test/**",
            lambda route: route.fulfill(
                content_type=there[httpx2.URL(route.request.url).path][0],
                body=there[httpx2.URL(route.request.url).path][1],
            ),
        )
        await shown.page.goto("http://gallery.test/system")
        return {"Every part": await photograph(shown, "parts", out)}


async def shoot(out: Path, only: Sequence[str]) -> int:
    """Write all pictures and the sheets; return how many pictures there are."""
    async with launched() as browser:
        sheet = {} if only else await parts(browser, out)
        sheet |= await stack_pages(browser, out, only)
        rows = [_row(title, names) for title, names in sheet.items()]
        (out / "index.html").write_text(SHEET + "\n".join(rows))
        # Several sheets: Chromium makes no picture that is longer than 16,384 pixels.
        for number, first in enumerate(range(0, len(rows), ON_A_SHEET), 1):
            part = out / f"sheet-{number}.html"
            part.write_text(SHEET + "\n".join(rows[first : first + ON_A_SHEET]))
            async with window(browser, out.as_uri(), width=2000) as shown:
                await shown.page.goto(part.as_uri())
                await shown.page.screenshot(path=part.with_suffix(".png"), full_page=True)
            part.unlink()
    return sum(len(names) for names in sheet.values())


def _row(title: str, names: Sequence[str]) -> str:
    pictures = "".join(f'<img src="{name}" alt="{name}">' for name in names)
    return f"<section><h2>{html.escape(title)}</h2><div>{pictures}</div></section>"


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description="Photograph every page of the console.")
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--only", nargs="*", default=(), help="pages whose address has one of these texts")
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bytecode-") as bytecode:
        servers = TestServers(Path(bytecode))
        try:
            count = asyncio.run(shoot(asked.out, asked.only))
        finally:
            servers.stop()
    print(f"{count} pictures: {asked.out / 'index.html'}")


if __name__ == "__main__":
    main()
