"""Photographs the first screen of each role for `docs/pictures/`, on the stack that runs.

Run `make demo-data` and `make run` before. Pictures of every page are written by `tests/console/browser`.
"""

import argparse
import asyncio
from pathlib import Path

import httpx2

from dev.browser import launched
from dev.stack.__main__ import data_directory
from dev.stack.running import Running
from tests.console.browser.driver import WIDTHS, console_url, window
from tests.e2e.conftest import World, good

OUT = Path(__file__).resolve().parents[2] / "docs/pictures"
HEIGHT = 1000
#: By the name of a picture: who reads, and the page. The approver's is the newest purchase that waits in the demo data.
FIRST = {
    "console": ("client", "/{client_org}"),
    "creator": ("studio", "/{studio_org}"),
    "developer": ("agent", "/{studio_org}"),
    "operator": ("operator", "/platform"),
    "approver": ("studio", "/{studio_org}/purchases/{purchase_order}"),
}


async def shoot(running: Running, out: Path) -> None:
    """Write a picture of each first screen, in the light theme on a laptop."""
    async with httpx2.AsyncClient(base_url=running.api_url, trust_env=False, timeout=60) as http:
        studio = World(running, http).studio
        waiting = good(await studio.get("/purchase-orders", params={"status": "needs_approval"}))["data"]
    ids = {**running.ids, "purchase_order": waiting[0]["id"]}
    async with launched() as browser:
        for name, (persona, path) in FIRST.items():
            async with window(browser, console_url(running)) as shown:
                await shown.sign_in(running.keys[persona])
                await shown.page.set_viewport_size({"width": WIDTHS[0], "height": HEIGHT})
                await shown.go(f"/console{path.format(**ids)}")
                await shown.page.screenshot(path=out / f"{name}.png")


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description="Photograph the first screen of each role.")
    parser.add_argument("--out", type=Path, default=OUT)
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    asyncio.run(shoot(Running.read(data_directory() / "dev.json"), out))
    print(f"Pictures: {out}")


if __name__ == "__main__":
    main()
