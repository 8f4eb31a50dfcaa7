"""Organizations of one test, which it may change as it likes, and their people at their windows."""

import csv
import itertools
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.async_api import Locator, Page, expect

from tests.console.browser.driver import PATIENCE, THEMES, WIDTHS, Window
from tests.console.browser.hands import Hands, Keyboard, Pointer
from tests.e2e.conftest import NONCE, Caller, World, good
from tests.e2e.payments.paying import until

NUMBERS = itertools.count(1)
#: The ways to work a page. Each journey is made in one or two, and every way makes journeys that move money.
POINTER, KEYBOARD, WITHOUT_SCRIPTS = "pointer", "keyboard", "without scripts"
#: With a finger, on a telephone at night: narrow and dark.
TELEPHONE = "telephone"


@dataclass(frozen=True)
class Company:
    """An organization of one test. `people` are callers by their roles, which are their principals too."""

    org_id: str
    name: str
    people: dict[str, Caller]

    @property
    def base(self) -> str:
        """Where its pages begin."""
        return f"/console/{self.org_id}"


async def company(world: World, *roles: str, credits: str = "") -> Company:
    """Make an organization with a key of each role, and with credits where that is said."""
    name = f"Company {next(NUMBERS)} <i>&amp;</i> sons"
    org_id = good(await world.operator.post("/organizations", {"name": name}), 201)["id"]
    people: dict[str, Caller] = {}
    for role in roles:
        body = {"organization_id": org_id, "principal": role, "role": role}
        issuer = people.get("owner", world.operator)
        people[role] = Caller(world.http, good(await issuer.post("/api-keys", body), 201)["secret"])
    if credits:
        grant = {"organization_id": org_id, "amount": credits, "source": "promotion"}
        good(await world.operator.post("/credits/grants", grant), 201)
    return Company(org_id, name, people)


async def agent_of(seller: Company) -> tuple[str, str]:
    """Make an agent that can be hired, and return its id and its name.

    Agents are found by their names among those of all organizations, also of tests in other processes: no name is in
    another one.
    """
    name = f"Reader {NONCE} {next(NUMBERS):04}"
    made = good(await seller.people["owner"].post("/agents", {"name": name}), 201)
    return made["id"], name


@dataclass
class Person:
    """Somebody at a window, in one of the ways above."""

    window: Window
    hands: Hands
    scripts: bool

    @property
    def page(self) -> Page:
        return self.window.page

    @property
    def main(self) -> Locator:
        """Main part of the page, or the dialog that is open over it."""
        return self.page.locator("dialog[open], body:not(:has(dialog[open])) main")

    async def go(self, path: str) -> None:
        await self.window.go(path)

    async def press(self, name: str, *, link: bool = False) -> None:
        """Press the button, or follow the link, that is called so."""
        control = self.main.get_by_role("link" if link else "button", name=name, exact=True)
        await self.hands.press(control.first)

    async def unfold(self, words: str) -> None:
        """Open what is folded under these words."""
        await self.hands.press(self.main.locator("summary", has_text=words))

    async def write(self, label: str, text: str) -> None:
        await self.hands.write(self.main.get_by_label(label, exact=True), text)

    async def choose(self, label: str, words: str) -> None:
        await self.hands.choose(self.main.get_by_label(label, exact=True), words)

    async def tick(self, label: str | re.Pattern[str]) -> None:
        await self.hands.tick(self.main.get_by_label(label).first)

    async def command(self, asked: str, label: str = "", **fields: str) -> None:
        """Ask for a command, fill what it asks for, and give it.

        Args:
            asked: what opens its dialog, or leads to its page.
            label: what gives it there; left out where that is called the same.
            fields: texts by the names of their labels, with `_` for a space.
        """
        await self.press(asked, link=True)
        for name, text in fields.items():
            await self.write(name.replace("_", " "), text)
        await self.press(label or asked)

    async def sees_notice(self, notice: str) -> None:
        """Wait until the page says that a command was done."""
        await expect(self.page.locator("[data-done]")).to_contain_text(notice)

    async def sees(self, *texts: str) -> None:
        """Wait until the page holds the texts: by itself with scripts, asked for anew by hand without."""
        for text in texts:
            try:
                # The answer to what was just pressed may still be on its way.
                seconds = PATIENCE if self.scripts else 2_000
                await expect(self.page.locator("main")).to_contain_text(text, timeout=seconds)
            except AssertionError:
                if self.scripts:
                    raise
                await self._ask_again_for(text)

    async def text(self) -> str:
        """Return what the page says, with every run of spaces as one."""
        return " ".join((await self.page.locator("main").inner_text()).split())

    async def credits(self) -> Locator:
        """Return what the header says of credits."""
        if not self.scripts:
            await self.page.reload()
        return self.page.locator("#live-credits")

    async def stay(self) -> None:
        """Mark the page that is shown, so that `stayed` can tell that it was never left."""
        if self.scripts:
            await self.page.evaluate("document.documentElement.dataset.stayed = 'yes'")

    async def stayed(self) -> None:
        """Check that the page is the one that was marked: what it shows came without a reload."""
        if self.scripts:
            assert await self.page.evaluate("document.documentElement.dataset.stayed") == "yes"

    async def _ask_again_for(self, text: str) -> None:
        async def again() -> str:
            await self.page.reload()
            return await self.text()

        await until(again, lambda found: text in found)


OpenFor = Callable[..., Awaitable[Person]]


@asynccontextmanager
async def people_at(open_window: Any, way: str) -> AsyncIterator[OpenFor]:
    """Seat people at windows of their own, in one way: `await at(company.people["owner"])` signs them in."""
    async with AsyncExitStack() as windows:

        async def at(caller: Caller, path: str = "") -> Person:
            scripts = way != WITHOUT_SCRIPTS
            look = {"theme": THEMES[1], "width": WIDTHS[-1]} if way == TELEPHONE else {}
            window: Window = await windows.enter_async_context(open_window(scripts=scripts, **look))
            hands: Hands = Keyboard(window.page) if way == KEYBOARD else Pointer()
            person = Person(window, hands, scripts)
            assert caller.token is not None
            await person.go("/console/sign-in")
            await person.write("API key", caller.token)
            await person.press("Sign in")
            await window.page.wait_for_url(lambda address: "/sign-in" not in address)
            if path:
                await person.go(path)
            return person

        yield at


def rows_in(file: Path) -> list[dict[str, str]]:
    """Return the rows of a CSV file by their heads."""
    with file.open(newline="", encoding="utf-8-sig") as opened:
        return list(csv.DictReader(opened))


def path_of(page: Page) -> str:
    """Return where a page is, without what a notice adds."""
    return urlsplit(page.url).path


async def funded(buyer: Company, seller: Company, price: str, title: str = "Read the quarter") -> str:
    """Award work, fund it from credits, and return its escrow; the payer's owner signs."""
    agent, _ = await agent_of(seller)
    award = {"agent_id": agent, "title": title, "price": price, "currency": "CREDIT"}
    signs = {"validation_threshold": "0.80", "signatories": ["owner"], "required_signatures": 1}
    owner = buyer.people["owner"]
    contract = good(await owner.post("/contracts", {**award, **signs}), 201)["id"]
    escrow = str(good(await owner.post("/escrows", {"contract_id": contract}), 201)["id"])
    good(await owner.post(f"/escrows/{escrow}/fund", {"source": "credits"}))
    return escrow


async def delivered(buyer: Company, seller: Company, price: str, title: str = "Read the quarter") -> str:
    """Award work, fund it from credits, deliver it, and return its escrow; the payer's owner signs."""
    escrow = await funded(buyer, seller, price, title)
    good(await seller.people["owner"].post(f"/escrows/{escrow}/delivery", {"artifacts": [], "note": "Done"}))
    return escrow
