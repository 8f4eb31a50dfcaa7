"""The console's pages: their weight, their cost against the API's own answers, and when a reader sees what is new.

What a browser does is measured in Debian's Chromium; where there is none, those rows say so and have no figure.
"""

import asyncio
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2
from playwright.async_api import Browser, BrowserContext, CDPSession, Page
from starlette.requests import Request

from console.assets import Assets
from console.choices import Choices
from console.forms import blank
from console.frame import frame
from console.gateway import Answer
from console.lists import ListView
from console.noun_page import ListPage
from console.pages import html, make_environment
from console.transaction import facts
from console.who import Me
from console.widgets import Pager
from dev.bench.escrow import Escrows
from dev.bench.http import load, measure
from dev.bench.rows import BenchRow, alternate
from dev.bench.world import World
from dev.browser import NO_CHROMIUM, SHIFTED, chromium, launched

ESCROWS = 50
ROUNDS = 5
RENDERS = 100
CHANGES = 20
KILOBYTE = 1000
#: The line and the processor of a cheap telephone.
SLOW_LINE = {"offline": False, "latency": 150, "downloadThroughput": 200_000, "uploadThroughput": 90_000}
SLOW_PROCESSOR = 4
#: What the page of escrows asks the API for, of an organization.
ASKED = (
    "me?marks=true&unread=true",
    f"escrows?limit={ESCROWS}",
    f"agents?limit={ESCROWS}&organization_id={{org}}",
    f"agents?limit={ESCROWS}",
    "escrows/summary",
    "escrows/summary?waits_for=me",
    "billing/balance",
)
#: Notes when the last row of the list was painted: a task that an animation frame posts runs after that frame's paint.
#: What blocks the first paint holds frames back in some versions and lets them run in others, so that counts as well.
_NOTE_ROWS = """(() => {
  const seen = new MutationObserver(() => {
    if (document.querySelectorAll("tbody tr").length < ROWS) return;
    seen.disconnect();
    requestAnimationFrame(() => setTimeout(() => { window.rowsPainted = performance.now(); }));
  });
  seen.observe(document, { childList: true, subtree: true });
})()""".replace("ROWS", str(ESCROWS))
_PAINTED = """() => {
  const first = performance.getEntriesByName("first-contentful-paint")[0]?.startTime;
  return first && window.rowsPainted && Math.max(first, window.rowsPainted);
}"""


async def run(world: World) -> list[BenchRow]:
    """Make fifty escrows, and look at the pages that show them."""
    await _make_escrows(world)
    async with httpx2.AsyncClient(
        base_url=world.api_url,
        headers={"Authorization": f"Bearer {world.keys['client']}"},
        timeout=60,
        trust_env=False,
    ) as client:
        opened = await client.post("/sessions", json={})
        opened.raise_for_status()
        session = f"bursar_session={opened.json()['token']}"
        rows = [await _rate(world, session), await _drawing(world, client, session)]
    if chromium() is None:
        return [*rows, BenchRow(name="pages in a browser", value=0, unit="", note=NO_CHROMIUM)]
    async with launched() as browser:
        readers = Readers(browser, world.api_url.removesuffix("/api/v1"), session)
        return [*rows, *await _weight(world, readers), *await _slow(world, readers), await _seen(world, readers)]


async def _make_escrows(world: World) -> None:
    escrows = Escrows(world)
    try:
        for number in range(ESCROWS):
            client = number % len(escrows.connections)
            await escrows.post(client, "/escrows", "client", {"contract_id": await escrows.award(client)})
    finally:
        escrows.close()


async def _rate(world: World, session: str) -> BenchRow:
    page, cookie = f"/console/{world.ids['client_org']}/escrows", f"Cookie: {session}"
    asked = " ".join(f"/api/v1/{each.format(org=world.ids['client_org'])}" for each in ASKED)
    key = f"Authorization: Bearer {world.keys['client']}"
    await load(world.port, page, cookie)
    ours, theirs = await alternate(lambda: load(world.port, page, cookie), lambda: load(world.port, asked, key), ROUNDS)
    return BenchRow(
        name=f"page of {ESCROWS} escrows, one process, 16 connections",
        value=ours,
        unit="pages/s",
        against="its calls of the API one after the other",
        baseline=theirs,
        target=0.7,
    )


async def _drawing(world: World, client: httpx2.AsyncClient, session: str) -> BenchRow:
    """Return the share of the time of activity that its template takes: activity by the same answers."""
    paths = {"me": "/me", "credits": "/billing/balance", "rows": "/billing/activity?limit=50"}
    bodies = {name: (await client.get(path)).raise_for_status().json() for name, path in paths.items()}
    balance = Answer(status=200, request_id="bench", body=bodies["credits"])
    me, choices, base = Me.of(bodies["me"]), Choices(), f"/console/{world.ids['client_org']}"
    assert me.organization is not None
    environment, path = make_environment(Assets()), f"{base}/transactions"
    view = ListView(path=path, form=blank(), chips=(), clear="", pager=Pager(), filtered=False)
    page = ListPage(title="Activity", listed=view, base=base)
    request = Request({"type": "http", "method": "GET", "path": path, "query_string": b"", "headers": []})

    def draw() -> None:
        around = frame(
            me,
            choices,
            brand="Bursar",
            path=path,
            query="",
            exists=lambda _path: True,
            organization=me.organization,
            balance=balance,
            marks=None,
            notice="",
            back=None,
        )
        values = {"rows": bodies["rows"]["data"], "facts": facts}
        html(request, environment, "transaction/list.html", page, around, values=values)

    async def drawn() -> float:
        began = time.perf_counter()
        for _ in range(RENDERS):
            draw()
        return (time.perf_counter() - began) / RENDERS * 1000

    async def whole() -> float:
        # One after the other: over several connections the time between answers is shorter than that of a page.
        rate, _ = await measure(world.port, path, f"Cookie: {session}", connections=1)
        return 1000 / rate

    draw()
    await whole()
    ours, all_of_it = await alternate(drawn, whole, ROUNDS)
    return BenchRow(
        name="activity: template, share of the page's time",
        value=ours,
        unit="ms",
        against="the whole page, one after the other",
        baseline=all_of_it,
        target=0.2,
        at_most=True,
    )


@dataclass
class Readers:
    """Browsers of a signed-in person, each with an empty cache."""

    browser: Browser
    origin: str
    session: str

    @asynccontextmanager
    async def one(self) -> AsyncIterator[tuple[Page, CDPSession, "Traffic"]]:
        """Open a window, and count what it asks for."""
        context: BrowserContext = await self.browser.new_context(viewport={"width": 1280, "height": 900})
        name, _, value = self.session.partition("=")
        await context.add_cookies([{"name": name, "value": value, "url": self.origin}])
        page = await context.new_page()
        protocol = await context.new_cdp_session(page)
        traffic = Traffic()
        await protocol.send("Network.enable")
        protocol.on("Network.requestWillBeSent", traffic.began)
        protocol.on("Network.responseReceived", traffic.answered)
        protocol.on("Network.requestServedFromCache", traffic.kept)
        protocol.on("Network.loadingFinished", traffic.ended)
        try:
            yield page, protocol, traffic
        finally:
            await context.close()


@dataclass
class Traffic:
    """Requests of a window and bytes received, without streams and cached responses."""

    open: dict[str, str] = field(default_factory=dict)
    requests: int = 0
    octets: float = 0.0

    def began(self, event: dict[str, Any]) -> None:
        """Count a request, unless it is a stream."""
        if event.get("type") != "EventSource" and event["request"]["url"].startswith("http"):
            self.open[event["requestId"]] = event["request"]["url"]

    def answered(self, event: dict[str, Any]) -> None:
        """Leave out responses from the disk cache."""
        if event["response"].get("fromDiskCache"):
            self.open.pop(event["requestId"], None)

    def kept(self, event: dict[str, Any]) -> None:
        """Leave out responses from the memory cache."""
        self.open.pop(event["requestId"], None)

    def ended(self, event: dict[str, Any]) -> None:
        """Add bytes that came over the network, headers included."""
        if self.open.pop(event["requestId"], None) is not None:
            self.requests += 1
            self.octets += event["encodedDataLength"]

    def taken(self) -> tuple[int, float]:
        """Return requests and kilobytes, and begin anew."""
        found = self.requests, self.octets / KILOBYTE
        self.requests, self.octets = 0, 0.0
        return found


async def _weight(world: World, readers: Readers) -> list[BenchRow]:
    base = f"{readers.origin}/console/{world.ids['client_org']}"
    rows = []
    for name, path, other in (("home", "", "/escrows"), (f"{ESCROWS} escrows", "/escrows", "")):
        async with readers.one() as (page, _, traffic):
            await page.goto(base + path, wait_until="load")
            first = traffic.taken()
            # What all pages share is kept now; the one that is measured was not.
            await page.goto("about:blank")
        async with readers.one() as (page, _, traffic):
            await page.goto(base + other, wait_until="load")
            traffic.taken()
            await page.goto(base + path, wait_until="load")
            later = traffic.taken()
        for view, (requests, kilobytes), most_kilobytes, most_requests in (
            ("first view", first, 40, 5),
            ("next view", later, 15, 1),
        ):
            rows += [
                BenchRow(name=f"{name}, {view}", value=kilobytes, unit="KB", target=most_kilobytes, at_most=True),
                BenchRow(name=f"{name}, {view}", value=requests, unit="requests", target=most_requests, at_most=True),
            ]
    assets = Assets()
    for file, most in (("console.js", 12), ("console.css", 15)):
        answer = assets.answer(assets.url(file).rpartition("/")[2], "gzip")
        assert answer is not None
        size = len(answer.body) / KILOBYTE
        rows.append(BenchRow(name=f"{file}, compressed", value=size, unit="KB", target=most, at_most=True))
    return rows


async def _slow(world: World, readers: Readers) -> list[BenchRow]:
    """Measure until the rows of the list are painted, on a slow telephone and on this machine, with nothing kept."""
    address, shifts = f"{readers.origin}/console/{world.ids['client_org']}/escrows", []

    def painted(*, slow: bool) -> Callable[[], Awaitable[float]]:
        async def measure() -> float:
            async with readers.one() as (page, protocol, _):
                if slow:
                    await protocol.send("Network.emulateNetworkConditions", SLOW_LINE)
                    await protocol.send("Emulation.setCPUThrottlingRate", {"rate": SLOW_PROCESSOR})
                await page.add_init_script(_NOTE_ROWS)
                await page.goto(address, wait_until="load")
                painted_at = await page.wait_for_function(_PAINTED)
                shifts.append(float(await page.evaluate(SHIFTED)))
                return float(await painted_at.json_value())

        return measure

    slow, fast = await alternate(painted(slow=True), painted(slow=False), ROUNDS)
    return [
        BenchRow(
            name=f"{ESCROWS} rows on screen, processor ÷ 4, 1.6 Mbit/s, 150 ms",
            value=slow,
            unit="ms",
            against="the same page without",
            baseline=fast,
            target=5,
            at_most=True,
        ),
        BenchRow(name="layout shift of that page, the most", value=max(shifts), unit="", target=0, at_most=True),
    ]


async def _seen(world: World, readers: Readers) -> BenchRow:
    """Measure from the answer to an operator's grant until the client's page shows the new balance."""
    headers = {"Authorization": f"Bearer {world.keys['operator']}"}
    delays = []
    async with (
        httpx2.AsyncClient(base_url=world.api_url, headers=headers, timeout=60, trust_env=False) as operator,
        readers.one() as (page, _, _),
    ):
        await page.goto(f"{readers.origin}/console/{world.ids['client_org']}", wait_until="load")
        for number in range(CHANGES):
            before = await page.locator("#live-credits").text_content()
            body = {"organization_id": world.ids["client_org"], "amount": "1", "source": "promotion"}
            key = {"Idempotency-Key": f"bench-seen-{number}"}
            (await operator.post("/credits/grants", json=body, headers=key)).raise_for_status()
            began = time.monotonic()
            await page.wait_for_function(
                "before => document.querySelector('#live-credits').textContent !== before", arg=before, polling="raf"
            )
            delays.append(time.monotonic() - began)
            # So that the next one falls into another part of the second.
            await asyncio.sleep(number / CHANGES)
    return BenchRow(
        name="a change by somebody else is on screen, p50",
        value=statistics.median(delays),
        unit="s",
        target=1.5,
        at_most=True,
    )
