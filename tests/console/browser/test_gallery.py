"""Every part in each of its states: nothing to complain of, and charts can be read by pointer and by keyboard."""

import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.console.browser.driver import THEMES, window
from tests.console.gallery import files

#: As strict as the console itself.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; require-trusted-types-for 'script'"
)


@pytest.fixture(scope="module")
def gallery() -> Iterator[str]:
    """The gallery on loopback, under the console's policy."""
    there = files()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            media_type, content = there.get(self.path.partition("#")[0], ("text/plain", b""))
            self.send_response(200)
            self.send_header("Content-Type", media_type)
            self.send_header("Content-Security-Policy", POLICY)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize("theme", THEMES)
async def test_every_part_can_be_read_by_everybody(chrome, gallery, theme):
    async with window(chrome, gallery) as shown:
        await shown.page.goto(f"{gallery}/{theme}")

        assert await shown.findings() == []


@pytest.mark.parametrize("theme", THEMES)
async def test_a_table_that_scrolls_sideways_shows_at_its_edges_that_there_is_more(chrome, gallery, theme):
    async with window(chrome, gallery, width=660) as shown:
        await shown.page.goto(f"{gallery}/{theme}")
        wide = "(e) => e.scrollWidth > e.clientWidth + 64 && e.querySelector('tbody tr')"
        at = await shown.page.evaluate(f"[...document.querySelectorAll('.scroll')].findIndex({wide})")
        table = shown.page.locator(".scroll").nth(at)
        await table.scroll_into_view_if_needed()
        row = table.locator("tbody tr").first

        async def edge(side):
            box, line = await table.bounding_box(), await row.bounding_box()
            x = box["x"] + 2 if side == "left" else box["x"] + box["width"] - 4
            return await shown.page.screenshot(clip={"x": x, "y": line["y"] + 2, "width": 1, "height": 2})

        first = {side: await edge(side) for side in ("left", "right")}
        await table.evaluate("(e) => { e.scrollLeft = e.scrollWidth }")
        last = {side: await edge(side) for side in ("left", "right")}
        assert first["left"] == last["right"]
        assert first["right"] != first["left"]
        assert last["left"] != last["right"]
        assert await table.get_attribute("tabindex") == "0"


async def test_a_chart_tells_its_values_by_arrow_keys(chrome, gallery):
    async with window(chrome, gallery) as shown:
        await shown.page.goto(f"{gallery}/light")
        canvas = shown.page.get_by_role("slider").first
        await canvas.focus()
        await canvas.press("ArrowRight")
        second = await canvas.get_attribute("aria-valuetext")
        await canvas.press("End")

        assert second == "Nov 2, Balance 1,160.00\N{NO-BREAK SPACE}credits"
        assert await canvas.get_attribute("aria-valuenow") == "30"
        assert await canvas.locator(".tip").is_visible()
        await canvas.press("Escape")
        assert await canvas.locator(".tip").count() == 0


async def test_a_chart_tells_its_values_by_pointer(chrome, gallery):
    async with window(chrome, gallery) as shown:
        await shown.page.goto(f"{gallery}/light")
        canvas = shown.page.locator(".chart .canvas").first
        await canvas.scroll_into_view_if_needed()
        box = await canvas.bounding_box()
        assert box is not None
        await canvas.hover(position={"x": box["width"] - 2, "y": box["height"] / 2})

        assert "Nov 30" in await canvas.locator(".tip").inner_text()
        await shown.page.mouse.move(1, 1)
        assert await canvas.locator(".tip").count() == 0


async def test_what_is_left_until_a_deadline_ticks_by_days_and_the_clock(chrome, gallery):
    async with window(chrome, gallery) as shown:
        await shown.page.clock.install()
        await shown.page.goto(f"{gallery}/light")
        timer = shown.page.get_by_role("timer")
        await shown.page.clock.run_for(2_000)
        assert re.fullmatch(r"2 days 2:00:5\d left|2 days 2:01:0\d left", await timer.inner_text())
        await shown.page.clock.run_for(25 * 3600 * 1000)

        assert re.fullmatch(r"1 day 1:0\d:\d\d left", await timer.inner_text())


async def test_charts_have_their_tables_without_scripts(chrome, gallery):
    async with window(chrome, gallery, scripts=False) as shown:
        await shown.page.goto(f"{gallery}/light")
        await shown.page.get_by_text("As a table").first.click()

        assert await shown.page.get_by_role("row", name="Nov 2 1,160.00 credits").is_visible()
        assert await shown.page.get_by_role("slider").count() == 0


async def test_the_navigation_opens_on_a_narrow_screen_without_scripts(chrome, gallery):
    async with window(chrome, gallery, scripts=False, width=320) as shown:
        await shown.page.goto(f"{gallery}/light")
        navigation = shown.page.get_by_role("navigation", name="Pages", exact=True)
        assert not await navigation.is_visible()
        await shown.page.get_by_role("button", name="Menu").click()

        assert await navigation.is_visible()


async def test_colours_of_the_system_are_taken_over(chrome, gallery):
    async with window(chrome, gallery) as shown:
        await shown.page.goto(f"{gallery}/light")
        await shown.page.emulate_media(forced_colors="active")
        assert await shown.page.locator(".badge").first.is_visible()
        await shown.page.emulate_media(forced_colors="none", media="print")

        assert not await shown.page.locator(".side").is_visible()
        assert not await shown.page.locator(".pager").first.is_visible()
