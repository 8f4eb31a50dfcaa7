"""One figure has one name, and the same value on every page of a moment."""

import html
import re
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from fastapi import FastAPI

from console.analytics.figures import PERIODS
from runtime.database import Database
from tests.api.conftest import Caller, NewTenant, good, new_key
from tests.api.escrowing import delivered_escrow, funded_escrow
from tests.console.conftest import Visitor, signed_in

pytestmark = pytest.mark.db


def figure(page: str, *labels: str) -> str:
    """Return the value below or after the first of these labels that a page has."""
    for label in labels:
        found = re.search(rf">\s*{re.escape(label)}:?\s*(?:<[^>]*>\s*)+([^<]*\d[^<]*)<", html.unescape(page))
        if found:
            return found[1].strip()
    raise AssertionError(f"No {labels} on the page.")


async def page(visitor: Visitor, path: str) -> str:
    answer = await visitor.get(path)
    assert answer.status_code == 200, answer.text
    return answer.text


async def test_figures_of_one_name_agree_on_all_pages(
    app: FastAPI, new_tenant: NewTenant, operator: Caller, database: Database
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

    owner = await signed_in(app, "owner", studio.owner.token)
    home = await page(owner, base)
    for period, words in PERIODS:
        spent = figure(await page(owner, f"{base}?period={period}"), f"Spent, {words}")
        assert spent == "3.00"
        assert figure(await page(owner, f"{base}/analytics?period={period}"), f"Spent, {words}") == spent
        roi = await page(owner, f"{base}/returns?period={period}&currency=CREDIT")
        assert figure(roi, f"Spent, {words}") == spent

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
