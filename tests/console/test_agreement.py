"""One figure has one name, and the same value on every page of a moment."""

import html
import re
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

import pytest
from fastapi import FastAPI

from console.analytics.figures import PERIODS
from runtime.database import Database
from runtime.identity import new_id
from tests.api.conftest import Caller, NewTenant, good, new_key
from tests.api.escrowing import delivered_escrow, funded_escrow
from tests.conftest import DatabaseUrls
from tests.console.conftest import Visitor, signed_in
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
    await owner.browser.aclose()
