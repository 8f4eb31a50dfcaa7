"""One figure has one name, and the same value on every page of a moment."""

import html
import re
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

import pytest
from fastapi import FastAPI

from console.analytics.figures import PERIODS
from domain.credits.lots import LotSource
from runtime.database import Database
from runtime.identity import new_id
from tests.api.conftest import Caller, NewTenant, Tenant, good, new_key
from tests.api.escrowing import delivered_escrow, funded_escrow
from tests.api.invoicing import issue
from tests.api.paying import Written
from tests.api.test_earnings import DAY, defer, earn
from tests.api.test_reputation import settle
from tests.conftest import DatabaseUrls
from tests.console.conftest import Visitor, signed_in
from tests.console.walking import text_of
from tests.support.rows import rows_of

pytestmark = pytest.mark.db


def figure(page: str, *labels: str) -> str:
    """Return the value below or after the first of these labels that a page has."""
    for label in labels:
        found = re.search(rf">\s*{re.escape(label)}:?\s*(?:<[^>]*>\s*)+([^<]*\d[^<]*)<", html.unescape(page))
        if found:
            return found[1].strip()
    raise AssertionError(f"No {labels} on the page.")


def spent(page: str, words: str) -> list[str]:
    """Return the amounts of the cards of what was spent in a period, with their currencies."""
    cards = [card for card in page.split('<section class="card">') if f"Spent, {words}" in card.partition("</h2>")[0]]
    return [
        " ".join(html.unescape(re.sub(r"<[^>]*>", " ", big)).split())
        for card in cards
        for big in re.findall(r'<div class="big">(.*?)</div>', card.partition("</section>")[0], re.DOTALL)
    ]


async def page(visitor: Visitor, path: str) -> str:
    answer = await visitor.get(path)
    assert answer.status_code == 200, answer.text
    return answer.text


async def test_figures_of_one_name_agree_on_all_pages(
    app: FastAPI, new_tenant: NewTenant, operator: Caller, database: Database, database_urls: DatabaseUrls
) -> None:
    studio = await new_tenant("owner", "agent")
    base = f"/console/{studio.org_id}"
    body = {"organization_id": studio.org_id, "amount": "100.00", "source": "promotion"}
    good(await operator.post("/credits/grants", body, key=new_key()), 201)
    used = {"action": "generate_content", "amount": "4.50", "metadata": {"model": "gpt-4o"}}
    use = good(await studio.agent.post("/credits/use", used, key=new_key()), 201)["id"]
    good(await operator.post(f"/credits/spends/{use}/refunds", {"amount": "1.50"}, key=new_key()), 201)
    signer, now = good(await studio.owner.get("/me"))["principal"], datetime.now(UTC)
    await funded_escrow(operator, database, studio, studio, signer, at=now)
    await delivered_escrow(operator, database, studio, studio, signer, times=1, at=now)
    async with rows_of(database_urls) as rows:
        await rows.add("marketplace_purchases", id=new_id("pur"), org_id=studio.org_id, agent_id=studio.agent_id,
                       payee_org_id="org_seller", price_minor=500, currency="USD", taken_minor=100, status="ended",
                       payment_id=new_id("pay"), transfer_id=UUID(int=66), creator_minor=500, command_id=new_id("cmd"),
                       bought_at=now)  # fmt: skip

    owner = await signed_in(app, "owner", studio.owner.token)
    try:
        await agrees(owner, studio, base)
    finally:
        # No money moved for the row, so the books of the tests that follow would not prove.
        async with rows_of(database_urls) as rows:
            await rows.change("DELETE FROM marketplace_purchases WHERE org_id = $1", studio.org_id)
        await owner.browser.aclose()


async def agrees(owner: Visitor, studio: Tenant, base: str) -> None:
    home = await page(owner, base)
    for period, words in PERIODS:
        amounts = ["3.00 credits", "4.00 USD"]
        assert spent(await page(owner, f"{base}?period={period}"), words) == amounts
        assert spent(await page(owner, f"{base}/analytics?period={period}"), words) == amounts
        # Granted credits cost nothing in money.
        for currency, amount in (("CREDIT", "43.00 credits"), ("USD", "4.00 USD")):
            assert spent(await page(owner, f"{base}/returns?period={period}&currency={currency}"), words) == [amount]
            [converted] = good(await studio.owner.get(f"/analytics/spent?currency={currency}"))["currencies"]
            assert amount.startswith(converted["total"])

    available = figure(home, "Available")
    header = home.partition('id="live-credits"')[2]
    assert (figure(header, "Available"), figure(await page(owner, f"{base}/top-up"), "Your balance", "Available")) == (
        available,
        available,
    )

    summary = good(await studio.owner.get("/escrows/summary"))["by_status"]
    held = sum((Decimal(each["amount"]) for each in summary if each["currency"] == "CREDIT"), Decimal(0))
    assert Decimal(figure(home, "Held in escrow")) == held > 0


#: Where each figure stands: who reads the page, its address, and what is written around it.
_ANY = r"[\d,.]+ (?:credits|USD)"
_AMOUNT = rf"({_ANY})"
PLACES = {
    "earned": (
        ("seller", "/{seller}/earnings", rf"Paid out \S+ {_AMOUNT}"),
        ("seller", "/{seller}/agents/{agent}", rf"Paid out {_AMOUNT}"),
        ("seller", "/{seller}?side=earnings&period=90", rf"Earned, 90 days {_AMOUNT}"),
        ("seller", "/{seller}/analytics/earnings?period=90", rf"Earned, 90 days {_AMOUNT}"),
        ("operator", "/{seller}/earnings", rf"Paid out \S+ {_AMOUNT}"),
    ),
    # What is paid out is the money that the credits were bought with; before that, earnings are counted in credits.
    "payable": (
        ("seller", "/{seller}?side=earnings&period=90", rf"Can be paid out now {_AMOUNT}"),
        ("seller", "/{seller}/earnings", rf"Available {_AMOUNT} Can be paid out now"),
        ("seller", "/{seller}/analytics/earnings", rf"Can be paid out now {_AMOUNT}"),
        ("operator", "/{seller}/earnings", rf"Available {_AMOUNT} Can be paid out now"),
    ),
    "available of earnings": (
        ("seller", "/{seller}?side=spending", rf"Available: {_AMOUNT}"),
        ("seller", "/{seller}/earnings", rf"Paid out \S+ {_ANY} {_AMOUNT}"),
        ("seller", "/{seller}/agents/{agent}", rf"Paid out {_ANY} {_AMOUNT}"),
    ),
    "pending of earnings": (
        ("seller", "/{seller}?side=earnings&period=90", rf"Pending {_AMOUNT} Available from"),
        ("seller", "/{seller}/earnings", rf"Paid out \S+ {_ANY} {_ANY} {_AMOUNT}"),
        ("seller", "/{seller}/agents/{agent}", rf"Paid out {_ANY} {_ANY} {_AMOUNT}"),
    ),
    "earnings": (
        ("seller", "/{seller}?side=spending", rf"Earnings {_AMOUNT}"),
        ("operator", "/platform/organizations/{seller}", rf"Earnings {_AMOUNT} {_ANY}"),
    ),
    "debt": (
        ("debtor", "/{debtor}", rf"Debt {_AMOUNT}"),
        ("operator", "/{debtor}", rf"Debt {_AMOUNT}"),
        (
            "operator",
            "/platform/organizations/{debtor}",
            rf"Less debt(?: Less invoices due)?(?: {_ANY}){{2}} {_AMOUNT}",
        ),
    ),
    "invoice due": (
        ("debtor", "/{debtor}", rf"Pay INV-\d+ [^$]+? {_AMOUNT}"),
        ("debtor", "/{debtor}", rf"Invoice INV-\d+ Due .+? [AP]M {_AMOUNT}"),
        ("debtor", "/{debtor}/billing", rf"Invoice INV-\d+ Due .+? [AP]M {_AMOUNT}"),
        ("debtor", "/{debtor}/invoices", rf"Invoice INV-\d+ Due .+? [AP]M .+? [AP]M {_AMOUNT}"),
        ("debtor", "/{debtor}/invoices/{invoice}", rf"Due {_AMOUNT}"),
        ("debtor", "/{debtor}/invoices/{invoice}/pay", rf"Due {_AMOUNT}"),
        ("operator", "/platform/invoices/{invoice}", rf"Due {_AMOUNT}"),
        ("operator", "/platform/organizations/{debtor}", r"(\d[\d.]+ USD) Plan"),
    ),
    "held in escrow": (
        ("seller", "/{seller}?side=earnings&period=90", rf"Held in escrow for your work {_AMOUNT}"),
        ("buyer", "/{buyer}", rf"Held in escrow {_AMOUNT}"),
        ("buyer", "/{buyer}/escrows?status=funded", rf"Job Funded .+? [AP]M {_AMOUNT}"),
        ("seller", "/{seller}/escrows?status=funded", rf"Job Funded .+? [AP]M {_AMOUNT}"),
        ("seller", "/{seller}/agents/{agent}", rf"Job Funded .+? [AP]M {_AMOUNT}"),
        ("operator", "/platform/organizations/{buyer}", rf"In escrow {_ANY}(?: {_ANY}) {_AMOUNT}"),
    ),
    "jobs done": (
        ("buyer", "/{buyer}/marketplace?q={name}", r"(\d+) rated job"),
        ("buyer", "/{buyer}/marketplace/offers?q={name}", r"(\d+) rated job"),
        ("buyer", "/{buyer}/marketplace/{agent}", r"Rated jobs (\d+)"),
    ),
    "ratings": (
        ("buyer", "/{buyer}/marketplace?q={name}", r"\((\d+) rating"),
        ("buyer", "/{buyer}/marketplace/{agent}", r"Of 5, (\d+) rating"),
    ),
    "stars": (
        ("buyer", "/{buyer}/marketplace?q={name}", r"([\d.]+) of 5 stars"),
        ("buyer", "/{buyer}/marketplace/{agent}", r"Stars ([\d.]+)"),
        ("seller", "/{seller}/agents/{agent}", r"([\d.]+) of 5 stars"),
        ("seller", "/{seller}/agents/{agent}/reputation", r"Stars ([\d.]+)"),
    ),
    "price of a job": (
        ("buyer", "/{buyer}/marketplace?q={name}", rf"rated jobs? {_AMOUNT}"),
        ("buyer", "/{buyer}/marketplace/{agent}", rf"Price {_AMOUNT} a job"),
        ("seller", "/{seller}/agents/{agent}", rf"Price {_AMOUNT}"),
    ),
    "price of a month": (
        ("buyer", "/{buyer}/marketplace/offers?q={name}", rf"rated jobs? {_AMOUNT} a month"),
        ("buyer", "/{buyer}/marketplace/{agent}", rf"To buy: {_AMOUNT} a month"),
        ("buyer", "/{buyer}/library", rf"{_AMOUNT} a month"),
        ("seller", "/{seller}/agents/{agent}", rf"For sale {_AMOUNT} a month"),
    ),
}


async def test_figures_of_sellers_buyers_and_debtors_agree_on_all_pages(
    app: FastAPI, new_tenant: NewTenant, operator: Caller, database: Database, visitors: dict[str, Visitor]
) -> None:
    buyer, seller, debtor = [await new_tenant("owner", "agent") for _ in range(3)]
    now, agent = datetime.now(UTC), seller.agent_id
    name = new_key()
    listing = {"name": name, "pricing": {"model": "one_time", "amount": "9.50", "currency": "CREDIT"}}
    version = (await seller.owner.get(f"/agents/{agent}")).headers["etag"]
    good(await seller.owner.ask("PATCH", f"/agents/{agent}", json=listing, headers={"If-Match": version}))
    good(await seller.owner.ask("PUT", f"/marketplace/agents/{agent}", json={"model": "monthly", "price": "12.00"}))
    contract = await settle(operator, database, buyer, seller, at=now)
    rating = {"contract_id": contract, "ratings": {"quality": 4}}
    good(await buyer.owner.post("/reputation/feedback", rating, key=new_key()), 201)
    good(await buyer.owner.post(f"/marketplace/agents/{agent}/purchase", {}, key=new_key()), 201)
    await defer(database, 100, "USD")
    long_ago = {"at": now - 60 * DAY, "source": LotSource.PURCHASE, "paid_minor": 100, "paid_asset": "USD"}
    await earn(database, buyer, seller, 20, "paid", **long_ago)
    await funded_escrow(operator, database, buyer, seller, at=now, price="30")

    invoice = (await issue(operator, debtor))["id"]
    paid = await Written(database, debtor.org_id).begin()
    paid.there.pay()
    await paid.look()
    good(await debtor.owner.post("/credits/use", {"action": "write", "amount": "70"}, key=new_key()), 201)
    paid.there.dispute()
    await paid.look()

    tenants = {"buyer": buyer, "seller": seller, "debtor": debtor}
    readers = {name: await signed_in(app, name, each.owner.token) for name, each in tenants.items()}
    readers["operator"] = visitors["operator"]
    ids = {**{who: each.org_id for who, each in tenants.items()}, "agent": agent, "invoice": invoice, "name": name}
    pages: dict[tuple[str, str], str] = {}
    wrong = []
    for figure, places in PLACES.items():
        values = {}
        for reader, path, pattern in places:
            at = reader, f"/console{path}".format(**ids)
            if at not in pages:
                body = (await page(readers[reader], at[1])).partition("<main")[2].partition("</main>")[0]
                pages[at] = text_of(f"<main{body}")
            found = re.search(pattern, pages[at])
            values[reader, path] = found[1] if found else f"not found in {pages[at][:1500]}"
        # Zeroes agree everywhere: none of these figures is one.
        if len({*values.values()}) > 1 or not re.search("[1-9]", "".join(values.values())):
            wrong.append((figure, values))
    assert not wrong, "\n\n".join(f"{figure}: " + "\n".join(map(str, values.items())) for figure, values in wrong)
    for who in tenants:
        await readers[who].browser.aclose()
