"""Slots: bought, clawed back by refunds and chargebacks, owed and repaid."""

import asyncio
from dataclasses import replace
from typing import Any

import httpx2
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from domain.common import accounts
from domain.common.accounts import Account
from domain.payments.payment.terms import Purpose, PurposeKind
from ledger.gateway import Ledger
from repositories.books import debt
from runtime.database import Database, driver_connection
from tests.api.building import buy, deploy, limits, projects, proven as proven, slots, undeploy
from tests.api.conftest import Caller, good, new_key, refused
from tests.api.paying import NOW, intents, paying_app
from tests.conftest import DatabaseUrls
from tests.support.cases import for_each
from tests.support.looking import again
from tests.support.mirrored_bills import Mirrored

pytestmark = pytest.mark.db


# Slots that are taken back --------------------------------------------------------------------------------------------


async def test_pitfall_29_slot_charged_back_while_in_use_is_owed_and_the_next_ones_repay_it(
    owner: Caller, database: Database
) -> None:
    bought = await buy(database, owner, 2)
    first, second = await projects(owner, 2)
    await deploy(owner, first)
    await deploy(owner, second)
    bought.there.dispute()
    await bought.look()
    # What runs goes on; the free one is gone, and the one in use is owed.
    assert await slots(owner) == (0, 1, 1)
    assert (await limits(owner))["deployments"] == {"limit": 2, "used": 2}
    refused(await owner.post("/projects", {"slug": "third"}), 409, "deployment.limit_reached")
    await buy(database, owner, 3)
    assert await slots(owner) == (2, 1, 0)


async def test_freed_slot_repays_an_owed_one(owner: Caller, database: Database) -> None:
    bought = await buy(database, owner, 1)
    first, second = await projects(owner, 2)
    await deploy(owner, first)
    await deploy(owner, second)
    bought.there.close_dispute(bought.there.dispute(), won=False)
    await bought.look()
    assert await slots(owner) == (0, 1, 1)
    await undeploy(owner, second)
    assert await slots(owner) == (0, 0, 0)
    refused(await owner.post(f"/projects/{second}/deploy"), 409, "deployment.limit_reached")


async def test_won_chargeback_restores_the_slots(owner: Caller, database: Database) -> None:
    bought = await buy(database, owner, 2)
    first, second = await projects(owner, 2)
    await deploy(owner, first)
    await deploy(owner, second)
    dispute = bought.there.dispute()
    await bought.look()
    bought.there.close_dispute(dispute, won=True)
    await bought.look()
    assert await slots(owner) == (1, 1, 0)


@pytest.mark.parametrize(("amount", "left"), [(1, 2), (499, 2), (500, 2), (501, 1), (1000, 1), (1001, 0), (1500, 0)])
async def test_partial_refund_of_a_slot_takes_the_whole_slot(
    amount: int, left: int, owner: Caller, database: Database
) -> None:
    bought = await buy(database, owner, 3)
    bought.there.refund(amount)
    await bought.look()
    assert await slots(owner) == (left, 0, 0)


async def test_refusal_of_an_unchargeable_slot_refund_has_the_possible_amounts(
    owner: Caller, database: Database, database_urls: DatabaseUrls
) -> None:
    """A slot costs 3.335 KWD, and Stripe counts no last decimal of KWD."""
    purpose = Purpose(kind=PurposeKind.SLOT, goods_asset="SLOT", goods_minor=4)
    terms: dict[str, Any] = {"purpose": purpose, "amount_minor": 13_340, "currency": "KWD"}
    bought = Mirrored(database, owner.org_id or "", **terms)
    await bought.begin()
    bought.there.pay(fee=0)
    await bought.look()
    why = "Refund 6.67 KWD or more for some of them, or all that is left, 13.34 KWD."
    path = f"/payments/{bought.terms.payment_id}"
    async with paying_app(database_urls) as http:
        payer = replace(owner, http=http)
        for amount in ("3.330", "3.335", "3.340", "10.005"):
            answer = await payer.post(f"{path}/refunds", {"amount": amount}, key=new_key())
            assert refused(answer, 422, "payment.part_of_a_slot")["detail"].endswith(why)
        tried = good(await payer.get(f"{path}/actions?amount=3.335"))["actions"]
    (refund,) = [each for each in tried if each["action"] == "refund"]
    assert (refund["allowed"], refund["reason"]["code"]) == (False, "payment.part_of_a_slot")
    # As by a signal, which asks the books alone.
    declined = (await bought.refund(3_335)).declined
    assert declined is not None
    assert (declined.code, declined.detail.endswith(why)) == ("payment.part_of_a_slot", True)
    assert (await bought.refund(6_670)).applied
    assert await slots(owner) == (2, 0, 0)


async def test_refund_and_deployment_at_once_never_use_one_slot_twice(owner: Caller, database: Database) -> None:
    for _ in range(3):
        bought = await buy(database, owner, 1)
        if not (await limits(owner))["projects"]["used"]:
            await projects(owner, 2)
            await deploy(owner, "project-0")
        bought.there.refund(500)
        answer, _ = await asyncio.gather(owner.post("/projects/project-1/deploy"), bought.look())
        free, in_use, owed = await slots(owner)
        assert free == 0
        assert (in_use, owed) == ((1, 1) if answer.status_code == 200 else (0, 0))
        await undeploy(owner, "project-1")
        assert await slots(owner) == (0, 0, 0)


# Buying slots ---------------------------------------------------------------------------------------------------------


BUY = "/projects/deployment/purchase-slot"


@pytest.mark.parametrize(
    ("path", "body", "number", "cost"),
    [
        (BUY, None, 1, 1000),
        (BUY, {}, 1, 1000),
        (BUY, {"slots": 3, "provider": "paypal"}, 3, 3000),
        (BUY, {"slots": 1000, "payment_method": "pm_1", "off_session": True}, 1000, 1_000_000),
        ("/payments", {"purpose": "slot"}, 1, 1000),
        ("/payments", {"purpose": "slot", "slots": 2, "amount": "20", "currency": "USD"}, 2, 2000),
    ],
    ids=str,
)
async def test_purchase_becomes_a_payment_for_that_many_slots(
    path: str, body: Any, number: int, cost: int, owner: Caller, paying: httpx2.AsyncClient, database: Database
) -> None:
    payer = Caller(paying, owner.token, owner.org_id)
    refused(await payer.post(path, body, key=new_key()), 503, "service.unavailable")
    [noted] = await intents(database, owner.org_id or "")
    assert (noted["amount_minor"], noted["currency"], noted["manual_capture"]) == (cost, "USD", False)
    wanted = {name: noted["purpose"][name] for name in ("kind", "goods_asset", "goods_minor")}
    assert wanted == {"kind": "slot", "goods_asset": "SLOT", "goods_minor": number}
    assert noted["description"] == ("1 deployment slot" if number == 1 else f"{number} deployment slots")


@for_each(
    "path, body, field",
    [
        (BUY, {"slots": 0}, "errors"),
        (BUY, {"slots": -1}, "errors"),
        (BUY, {"slots": 1001}, "errors"),
        (BUY, {"slots": "1.5"}, "errors"),
        (BUY, {"slots": True}, "errors"),
        (BUY, {"slots": "2"}, "errors"),
        (BUY, {"slots": 1.5}, "errors"),
        (BUY, {"amount": "5.00"}, "errors"),
        (BUY, {"capture_method": "manual"}, "errors"),
        (BUY, {"provider": "crypto", "asset": "USDC"}, "provider"),
        (BUY, {"provider": "credits"}, "provider"),
        (BUY, {"asset": "USDC"}, "asset"),
        ("/payments", {"purpose": "slot", "provider": "crypto", "asset": "BTC"}, "provider"),
        ("/payments", {"purpose": "slot", "provider": "credits"}, "provider"),
        ("/payments", {"purpose": "slot", "capture_method": "manual"}, "capture_method"),
        ("/payments", {"purpose": "slot", "currency": "EUR"}, "currency"),
        ("/payments", {"purpose": "slot", "slots": 2, "amount": "5.00"}, "amount"),
        ("/payments", {"purpose": "balance", "amount": "5", "currency": "SLOT"}, "errors"),
        ("/payments", {"purpose": "credits", "amount": "5", "currency": "USD", "slots": 1}, "slots"),
    ],
)
async def test_invalid_purchase_is_refused_without_a_trace(
    path: str, body: Any, field: str, owner: Caller, paying: httpx2.AsyncClient, database: Database
) -> None:
    document = refused(await Caller(paying, owner.token).post(path, body, key=new_key()), 422, "request.invalid")
    assert field in document if field == "errors" else document["field"] == field
    assert await intents(database, owner.org_id or "") == []


async def test_purchase_needs_a_key(owner: Caller, paying: httpx2.AsyncClient) -> None:
    refused(await Caller(paying, owner.token).post(BUY, {}), 400, "idempotency.missing")


async def test_price_of_a_slot_is_a_setting(owner: Caller, database_urls: DatabaseUrls, database: Database) -> None:
    async with paying_app(database_urls, slot_price="700", slot_currency="JPY") as client:
        payer = Caller(client, owner.token, owner.org_id)
        assert (await limits(payer))["slot_price"] == {"amount": "700", "currency": "JPY"}
        refused(await payer.post(BUY, {"slots": 2}, key=new_key()), 503, "service.unavailable")
    [noted] = await intents(database, owner.org_id or "")
    assert (noted["amount_minor"], noted["currency"]) == (1400, "JPY")


# What a payment does meanwhile ----------------------------------------------------------------------------------------


async def take(session: AsyncSession, owner: Caller, source: Account) -> None:
    """Take a slot as a payment's event does."""
    await Ledger(await driver_connection(session)).post(
        key=new_key(),
        kind="test",
        source=source,
        destination=accounts.platform("slot_issuance", "SLOT"),
        amount_minor=1,
        effective_at=NOW,
        org_id=owner.org_id,
    )


async def done_or_waiting(database: Database, request: asyncio.Task[httpx2.Response]) -> None:
    """Wait until a request has its answer, or waits for a row or a lock that somebody else holds."""
    query = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    while not request.done():
        async with database.platform() as session:
            if await session.scalar(query):
                return
        await again()


async def test_slot_refunded_after_the_count_allows_no_deployment(owner: Caller, database: Database) -> None:
    await buy(database, owner, 1)
    first, second = await projects(owner, 2)
    await deploy(owner, first)
    async with database.platform() as session:
        await take(session, owner, accounts.org_slots(owner.org_id or ""))
        request = asyncio.create_task(owner.post(f"/projects/{second}/deploy"))
        await done_or_waiting(database, request)
    refusal = refused(await request, 409, "deployment.limit_reached")
    assert (refusal["limit"], refusal["used"]) == (1, 1)
    assert await slots(owner) == (0, 0, 0)


async def test_slot_freed_during_a_chargeback_repays_it(owner: Caller, database: Database) -> None:
    await buy(database, owner, 1)
    first, second = await projects(owner, 2)
    await deploy(owner, first)
    await deploy(owner, second)
    async with database.platform() as session:
        await debt.lock(session, owner.org_id or "")
        await take(session, owner, accounts.org_debt(owner.org_id or "", "SLOT"))
        request = asyncio.create_task(owner.delete(f"/projects/{second}/deploy"))
        await done_or_waiting(database, request)
    good(await request)
    assert await slots(owner) == (0, 0, 0)
