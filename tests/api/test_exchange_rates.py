"""Exchange rates: set by operators, never changed, and used by limits in other currencies."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any
from unittest.mock import Mock

import pytest

from api.v1.exchange_rates import endpoints
from domain.common.access import Actor, Role
from domain.common.credits import CreditPrice
from domain.credits.spend.rate import exchange_rate
from repositories.books import spend_rate
from runtime.database import Database
from services.books import exchange_rate as exchange_rates
from tests.api.conftest import Caller, NewTenant, Tenant, forget, good, new_key, refused
from tests.api.listing import check_range
from tests.api.spending import grant, use
from tests.support.cases import for_each
from tests.support.lots import buy

pytestmark = pytest.mark.db

PRICE = CreditPrice(price=Decimal("0.10"), currency="USD")


async def set_rate(operator: Caller, quote: str, rate: Any = "0.92", **more: Any) -> dict[str, Any]:
    made: dict[str, Any] = good(
        await operator.post("/exchange-rates", {"base": "USD", "quote": quote, "rate": rate, **more}), 201
    )
    return made


async def limited(tenant: Tenant, currency: str, amount: str) -> dict[str, str]:
    """Limit a run; return a use of one credit that counts in it."""
    run = new_key()
    limit = {"window": "lifetime", "amount": amount}
    body = {"subject": {"type": "run", "id": run}, "currency": currency, "limits": [limit]}
    good(await tenant.owner.post("/spend-controls", body), 201)
    return {"amount": "1", "run_id": run}


async def why_refused(tenant: Tenant, body: dict[str, str]) -> str:
    answer = await tenant.member.post("/credits/use", body, key=new_key())
    return str(refused(answer, 402, "spend.limit_exceeded")["reason"])


async def test_rates_are_listed_as_they_were_set_and_by_currency(operator: Caller, tenant: Tenant) -> None:
    first = await set_rate(operator, "CHF", "0.880000000001")
    ahead = (datetime.now(UTC) + timedelta(days=3)).isoformat()
    second = await set_rate(operator, "CHF", 0.9, starts_at=ahead, valid_for="PT1H")
    assert (first["rate"], second["rate"], first["source"]) == ("0.880000000001", "0.9", "operator")
    lasts = datetime.fromisoformat(first["ends_at"]) - datetime.fromisoformat(first["starts_at"])
    assert lasts == timedelta(days=1)
    now = good(await tenant.auditor.get("/exchange-rates"))["data"]
    assert [one for one in now if one["quote"] == "CHF"] == [first]
    page = good(await tenant.agent.get("/exchange-rates?quote=CHF&limit=1"))
    rest = good(await tenant.agent.get(f"/exchange-rates?quote=CHF&limit=1&cursor={page['next_cursor']}"))
    assert [*page["data"], *rest["data"]] == [second, first]
    assert rest["next_cursor"] is None
    await check_range(tenant.auditor, "/exchange-rates?quote=CHF", "starts_at")
    [entry] = good(await operator.get("/audit?action=spend.rate&target=USD/CHF&limit=1"))["data"]
    assert entry["details"]["rate"] == "0.9"


@for_each(
    "change, field",
    [
        ({"rate": "0"}, "rate"),
        ({"rate": "-1"}, "rate"),
        ({"rate": "0.0000000000001"}, "rate"),
        ({"rate": "1" + "0" * 12}, "rate"),
        ({"rate": "999999999999"}, "rate"),
        ({"rate": "1e3"}, "rate"),
        ({"rate": True}, "rate"),
        ({"quote": "USD"}, "quote"),
        ({"quote": "CREDIT"}, "quote"),
        ({"quote": "ABC"}, "quote"),
        ({"base": "EUR"}, "base"),
        ({"base": "CREDIT"}, "base"),
        ({"starts_at": "2026-01-01T00:00:00Z"}, "starts_at"),
        ({"starts_at": "9999-01-01T00:00:00Z"}, "starts_at"),
        ({"valid_for": "PT0S"}, "valid_for"),
        ({"valid_for": "P32D"}, "valid_for"),
    ],
)
async def test_invalid_rate_is_refused(operator: Caller, change: dict[str, Any], field: str) -> None:
    body = {"base": "USD", "quote": "SEK", "rate": "10", **change}
    problem = refused(await operator.post("/exchange-rates", body), 422, "request.invalid")
    named = problem.get("field") or problem["errors"][0]["field"]
    assert named.endswith(field)
    assert good(await operator.get("/exchange-rates?quote=SEK"))["data"] == []


async def test_rate_is_never_changed(operator: Caller) -> None:
    ahead = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    made = await set_rate(operator, "NOK", "10", starts_at=ahead)
    assert await set_rate(operator, "NOK", "10.000", starts_at=ahead) == made
    body = {"base": "USD", "quote": "NOK", "rate": "11", "starts_at": ahead}
    refused(await operator.post("/exchange-rates", body), 409, "exchange_rate.exists")
    assert good(await operator.get("/exchange-rates?quote=NOK"))["data"] == [made]


async def test_rate_is_answered_again_after_it_has_begun(
    operator: Caller, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    begins, key = datetime.now(UTC) + timedelta(hours=1), new_key()
    body = {"base": "USD", "quote": "PLN", "rate": "4", "starts_at": begins.isoformat()}
    first = good(await operator.post("/exchange-rates", body, key=key), 201)
    clock = Mock(wraps=datetime)
    clock.now.return_value = begins + timedelta(minutes=1)
    monkeypatch.setattr(endpoints, "datetime", clock)
    await forget(database, key)
    assert good(await operator.post("/exchange-rates", body, key=key), 201) == first
    assert len(good(await operator.get("/audit?action=spend.rate&target=USD/PLN"))["data"]) == 1
    refused(await operator.post("/exchange-rates", {**body, "rate": "5"}), 409, "exchange_rate.exists")
    other = {**body, "starts_at": (begins + timedelta(seconds=1)).isoformat()}
    refused(await operator.post("/exchange-rates", other), 422, "request.invalid")


async def test_limit_in_another_currency_uses_the_rate_unfavourable_to_the_spender(
    operator: Caller, new_tenant: NewTenant, database: Database
) -> None:
    # Granted credits that an older test left would be charged first, and count as nothing.
    tenant = await new_tenant("owner", "member")
    await buy(database, tenant.org_id, "100", 1_000)
    body = await limited(tenant, "EUR", "0.20")
    assert await why_refused(tenant, body) == "rate"
    await set_rate(operator, "EUR", "0.92")
    # A credit is 9.2 cents, which count as 10, and two are 18.4.
    await use(tenant.member, **body)
    await use(tenant.member, **body)
    assert await why_refused(tenant, body) == "limit"


async def test_expired_rate_refuses_spends(operator: Caller, tenant: Tenant, database: Database) -> None:
    await grant(operator, tenant.org_id)
    old = exchange_rate(base="USD", quote="GBP", rate="0.8", price=PRICE, now=datetime.now(UTC) - timedelta(days=2))
    async with database.platform() as session:
        await exchange_rates.put(session, Actor(principal="o", role=Role.OPERATOR), old, PRICE)
    body = await limited(tenant, "GBP", "5")
    assert await why_refused(tenant, body) == "rate"
    assert "GBP" not in [one["quote"] for one in good(await tenant.member.get("/exchange-rates"))["data"]]
    await set_rate(operator, "GBP", "0.8")
    await use(tenant.member, **body)


async def test_new_price_of_a_credit_counts_in_every_currency_with_a_rate(operator: Caller, database: Database) -> None:
    await set_rate(operator, "DKK", "7")
    worth = []
    async with database.platform() as session:
        for price in (PRICE, CreditPrice(price=Decimal("0.20"), currency="USD")):
            await exchange_rates.store_price(session, price, datetime.now(UTC))
            row = await spend_rate.newest(session, "CREDIT", "DKK", datetime.now(UTC))
            worth.append(Fraction(row.quote_minor, row.base_minor) * 1_000_000)
        await session.rollback()
    assert worth == [70, 140]
