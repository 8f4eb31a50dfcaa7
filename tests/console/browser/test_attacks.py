"""Attacks: texts of others stay text, forms of other sites reach nothing, and one form moves money once."""

import asyncio
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx2
import pytest
from playwright.async_api import expect

from tests.console.browser.people import POINTER, agent_of, company, delivered, funded, people_at, rows_in
from tests.console.fake import OWN
from tests.console.typed import PAYLOADS
from tests.e2e.conftest import good


async def test_what_somebody_writes_stays_text_wherever_it_is_shown(world, open_window):
    texts = [text for name, text in PAYLOADS.items() if name != "turned"]
    buyer, seller = await company(world, "owner", credits="100"), await company(world, "owner")
    owner = buyer.people["owner"]
    # That forms take these texts, and what becomes of them there, is asked of every form without a browser.
    escrows = await asyncio.gather(*(funded(buyer, seller, "5.00", text) for text in texts))
    await asyncio.gather(
        *(owner.post(f"/escrows/{each}/disputes", {"reason": text}) for each, text in zip(escrows, texts, strict=True))
    )
    pages = [(f"{buyer.base}/escrows/{each}", [text]) for each, text in zip(escrows, texts, strict=True)]
    async with people_at(open_window, POINTER) as at:
        reader = await at(owner)
        for page, shown in (*pages, (f"{buyer.base}/contracts", texts), (f"{buyer.base}/escrows", texts)):
            await reader.go(page)
            said = " ".join((await reader.page.locator("main").text_content() or "").split())
            assert [text for text in shown if " ".join(text.split()) not in said] == []
            assert await reader.page.title() != "owned"
            assert await reader.page.locator("main a[href^='javascript'], main img[src=x]").count() == 0
            assert await reader.window.findings(axe=False) == []

        async with reader.page.expect_download() as begun:
            await reader.press("CSV", link=True)
        cells = [row["title"] for row in rows_in(await (await begun.value).path())]
        assert {cell.lstrip("'") for cell in cells} == {text.lstrip("'") for text in texts}
        assert [cell for cell in cells if cell[0] in "=+-@\t\r"] == []


async def test_marks_that_turn_what_is_read_are_refused_at_their_field_and_kept(world, open_window):
    text = PAYLOADS["turned"]
    buyer, seller = await company(world, "owner"), await company(world, "owner")
    agent, _ = await agent_of(seller)
    async with people_at(open_window, POINTER) as at:
        owner = await at(buyer.people["owner"], f"{buyer.base}/escrows/new?agent={agent}")
        await owner.write("Work", text)
        await owner.write("Price", "5.00")
        await owner.tick("Pay later")
        await owner.press("Hire")
        await owner.sees("This needs a correction")
        assert await owner.page.get_by_label("Work", exact=True).input_value() == text
    assert good(await buyer.people["owner"].get("/contracts"))["data"] == []


@pytest.fixture
def elsewhere() -> Iterator[tuple[str, list[str]]]:
    """Another site, with the pages that a test puts there."""
    pages: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(pages[-1].encode())

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    # Another name of the same machine: another site to a browser, whose cookies are not those of the console.
    yield f"http://localhost:{server.server_port}", pages
    server.shutdown()
    server.server_close()
    thread.join()


async def test_a_form_of_another_site_reaches_nothing(world, open_window, elsewhere):
    site, pages = elsewhere
    buyer, seller = await company(world, "owner", credits="100"), await company(world, "owner")
    escrow = await delivered(buyer, seller, "5.00")
    async with people_at(open_window, POINTER) as at:
        owner = await at(buyer.people["owner"], buyer.base)
        console = owner.window.console_url.removesuffix("/console")
        for host in (site, site.replace("localhost", "127.0.0.1")):
            pages.append(
                f"<form method=post action='{console}{buyer.base}/escrows/{escrow}/dispute'>"
                "<input name=command value=con_forged-by-another-1><input name=dispute_reason value=None>"
                "<button>Win a prize</button></form>"
            )
            await owner.page.goto(host)
            async with owner.page.expect_response(lambda answer: answer.request.method == "POST") as answered:
                await owner.page.get_by_role("button").click()
            assert (await answered.value).status == 403
    assert good(await buyer.people["owner"].get(f"/escrows/{escrow}"))["status"] == "delivered"


async def test_no_other_site_shows_the_console_in_a_frame(world, open_window, elsewhere):
    site, pages = elsewhere
    own = await company(world, "owner")
    async with people_at(open_window, POINTER) as at:
        owner = await at(own.people["owner"], own.base)
        console = owner.window.console_url.removesuffix("/console")
        for host in (site, site.replace("localhost", "127.0.0.1")):
            pages.append(f"<iframe src='{console}{own.base}' title=x></iframe>")
            async with owner.page.expect_event("console", lambda said: "frame-ancestors" in said.text):
                await owner.page.goto(host)
            framed = owner.page.frames[1]
            assert own.org_id not in framed.url or await framed.locator("h1").count() == 0


async def test_twenty_identical_submits_at_once_move_money_once(world, open_window):
    buyer, seller = await company(world, "owner", credits="100"), await company(world, "owner")
    agent, _ = await agent_of(seller)
    async with people_at(open_window, POINTER) as at:
        owner = await at(buyer.people["owner"], f"{buyer.base}/escrows/new?agent={agent}")
        await owner.write("Work", "Read it once")
        await owner.write("Price", "7.00")
        await owner.tick("Pay into escrow from credits")
        await owner.press("Hire")
        await owner.sees("will be moved from your credits")
        form = owner.main.locator("form.form")
        fields = await form.evaluate("form => Object.fromEntries(new FormData(form))")
        cookies = {each["name"]: each["value"] for each in await owner.window.context.cookies()}
        address = owner.page.url

        async with httpx2.AsyncClient(cookies=cookies, trust_env=False, timeout=60) as http:
            answers = await asyncio.gather(*(http.post(address, data=fields, headers=OWN) for _ in range(20)))
        # 503 says that the outcome is not known, 504 that a busy API has not answered yet.
        assert {answer.status_code for answer in answers} <= {303, 503, 504}
        # Both are asked again with the same key, as their page does by itself.
        await owner.press("Hire and pay 7.00\N{NO-BREAK SPACE}credits")
        await expect(owner.page.locator("[data-done]")).to_contain_text("This was already done")
    movements = good(await buyer.people["owner"].get("/billing/transactions", params={"q": "escrow"}))["data"]
    assert [each["amount"] for each in movements if each["amount"].startswith("-")] == ["-7.00"]
    assert good(await buyer.people["owner"].get("/billing/balance"))["available"] == "93.00"
    assert len(good(await buyer.people["owner"].get("/escrows"))["data"]) == 1


async def test_neither_addresses_nor_logs_nor_scripts_have_a_token(world, open_window):
    own = await company(world, "owner")
    key = own.people["owner"].token
    async with people_at(open_window, POINTER) as at:
        owner = await at(own.people["owner"], own.base)
        [cookie] = [each for each in await owner.window.context.cookies() if each["value"].startswith("bss_")]
        assert cookie["httpOnly"]
        assert cookie["sameSite"] == "Lax"
        seen: list[str] = []
        owner.page.on("request", lambda request: seen.append(request.url))
        await owner.page.reload()
        # Scripts see the time zone, which one of them has set, and nothing else.
        stored = await owner.page.evaluate("document.cookie + JSON.stringify({...localStorage, ...sessionStorage})")
        assert re.fullmatch(r"bursar_zone=[\w%/+-]+{}", stored)
        assert seen
        for secret in (cookie["value"], key):
            assert not any(secret in address for address in seen)
            assert secret not in await owner.page.content()
        assert logs_with(world.running.data_dir, cookie["value"], str(key)) == []


def logs_with(folder: Path, *secrets: str) -> list[str]:
    """Return the logs of a stack that hold a secret."""
    logs = [*folder.rglob("*.log")]
    assert logs
    texts = {log.name: log.read_text(errors="replace") for log in logs}
    return [name for name, text in texts.items() if any(secret in text for secret in secrets)]
