"""All money of an organization in one answer: what escrows hold, what agents earned, adding up to the books."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from domain.common import accounts
from domain.common.access import Actor, Role
from domain.credits.lots import LotSource, LotTerms
from domain.escrow import commands
from ledger.gateway import Ledger
from repositories.payouts import summary as store
from runtime.database import Database, driver_connection
from tests.api.conftest import Caller, NewTenant, Tenant, good, new_key, refused
from tests.api.escrowing import escrow_between, state, write
from tests.api.invoicing import issue
from tests.api.spending import grant, reserve
from tests.api.test_earnings import earn
from tests.conftest import DatabaseUrls
from tests.support.connections import connected, undone

pytestmark = pytest.mark.db

DAY = timedelta(days=1)
PARTS = ("available", "held", "expired", "in_use", "in_escrow", "in_payments", "in_payouts")


@pytest.fixture
async def payer(new_tenant: NewTenant) -> Tenant:
    return await new_tenant("owner", "member", "agent", "auditor")


@pytest.fixture
async def payee(new_tenant: NewTenant) -> Tenant:
    return await new_tenant("owner", "auditor")


async def of(caller: Caller, currency: str, path: str = "/billing/summary") -> dict[str, Any]:
    summary = good(await caller.get(path))
    for asset in summary["assets"]:
        parts = [*(asset[name] for name in PARTS), asset["earnings"]["total"]]
        owed = Decimal(asset["owed"]) + Decimal(asset["invoiced"])
        assert sum(map(Decimal, parts)) - owed == Decimal(asset["total"])
    found: dict[str, Any] = next(one for one in summary["assets"] if one["currency"] == currency)
    return found | {"summary": summary}


async def pay_in(database: Database, escrow_id: str, payer: Tenant) -> datetime:
    buyer = Actor(principal="procurement", role=Role.OWNER, org_id=payer.org_id)
    now = datetime.now(UTC)
    funded = commands.fund(await state(database, escrow_id), actor=buyer, source=commands.CREDITS, now=now)
    await write(database, funded, at=now)
    return now


async def broken(database: Database) -> list[str]:
    async with database.platform() as session:
        connection = await driver_connection(session)
        return [row[0] for rule in store.INVARIANTS for row in await connection.fetch(rule.violations)]


async def test_money_in_escrow_shows_at_payer_and_payee(
    operator: Caller, database: Database, payer: Tenant, payee: Tenant
) -> None:
    await grant(operator, payer.org_id, "500")
    escrow_id = await escrow_between(operator, database, payer, payee, price="300")
    now = await pay_in(database, escrow_id, payer)
    await reserve(payer.member, "50")
    paid = await of(payer.auditor, "CREDIT")
    assert (paid["available"], paid["held"], paid["in_escrow"], paid["total"]) == (
        "150.00",
        "50.00",
        "300.00",
        "500.00",
    )
    (shown,) = paid["summary"]["escrows"]
    assert (shown["id"], shown["role"], shown["amount"]) == (escrow_id, "payer", "300.00")
    earns = await of(payee.auditor, "CREDIT")
    assert (earns["pending"], earns["in_escrow"], earns["total"]) == ("300.00", "0.00", "0.00")
    assert datetime.fromisoformat(earns["pending_until"]) > now
    assert [one["role"] for one in earns["summary"]["escrows"]] == ["payee"]
    assert not {payer.org_id, payee.org_id} & {each.split(" ")[0] for each in await broken(database)}


async def test_summary_that_is_read_while_money_moves_is_of_one_moment(
    operator: Caller, database: Database, payer: Tenant, payee: Tenant
) -> None:
    await grant(operator, payer.org_id, "500")
    escrows = [await escrow_between(operator, database, payer, payee, price="30") for _ in range(6)]

    async def move() -> None:
        for escrow_id in escrows:
            await pay_in(database, escrow_id, payer)

    moving, seen = asyncio.create_task(move()), set[str]()
    while not moving.done():
        shown = await of(payer.auditor, "CREDIT")
        assert shown["total"] == "500.00"
        seen.add(shown["in_escrow"])
    await moving
    assert len(seen) > 2
    assert (await of(payer.auditor, "CREDIT"))["in_escrow"] == "180.00"


async def test_earnings_show_pending_amounts_and_their_release(
    database: Database, payer: Tenant, payee: Tenant
) -> None:
    """1,131.40 were earned: 1,000 two days ago, the rest a month ago."""
    now = datetime.now(UTC)
    bought = {"source": LotSource.PURCHASE, "paid_asset": "USD"}
    async with database.platform() as session:
        ledger = Ledger(await driver_connection(session))
        wallet = accounts.org_credits(payer.org_id)
        earned = accounts.agent_earnings(payee.agent_id, "CREDIT", payee.org_id)
        for minor, age in ((1_000_000_000, 2), (131_400_000, 30)):
            await ledger.post(
                key=new_key(),
                kind="t",
                source=accounts.platform("exchange", "USD"),
                destination=accounts.platform("deferred_revenue", "USD"),
                amount_minor=100,
                effective_at=now - age * DAY,
            )
            for source, destination, lots in (
                (accounts.platform("credit_issuance", "CREDIT"), wallet, LotTerms(**bought, paid_minor=100)),
                (wallet, earned, None),
            ):
                await ledger.post(
                    key=new_key(),
                    kind="t",
                    source=source,
                    destination=destination,
                    amount_minor=minor,
                    effective_at=now - age * DAY,
                    lots=lots,
                )
    await earn(database, payer, payee, 7, "granted")
    found = await of(payee.auditor, "CREDIT")
    assert (found["available"], found["earnings"]["total"]) == ("0.00", "1138.40")
    assert {name: found["earnings"][name] for name in ("available", "pending", "granted")} == {
        "available": "131.40",
        "pending": "1000.00",
        "granted": "7.00",
    }
    assert datetime.fromisoformat(found["earnings"]["pending_until"]) == now + 12 * DAY
    (agent,) = found["summary"]["earnings"]
    assert (agent["agent_id"], agent["currency"], agent["total"]) == (payee.agent_id, "CREDIT", "1138.40")


async def test_invoices_and_expiring_credits_are_listed(operator: Caller, payer: Tenant) -> None:
    expires_at = (datetime.now(UTC) + DAY).replace(microsecond=0)
    granted = {
        "organization_id": payer.org_id,
        "amount": "20",
        "source": "reward",
        "expires_at": expires_at.isoformat(),
    }
    good(await operator.post("/credits/grants", granted, key=new_key()), 201)
    invoice = await issue(operator, payer)
    due = invoice["total"]
    credits = await of(payer.owner, "CREDIT")
    assert [(one["amount"], datetime.fromisoformat(one["expires_at"])) for one in credits["summary"]["expiring"]] == [
        ("20.00", expires_at)
    ]
    dollars = await of(payer.owner, "USD")
    assert (dollars["invoiced"], dollars["total"]) == (due, f"-{due}")
    assert [(one["id"], one["due"]) for one in dollars["summary"]["invoices_due"]] == [(invoice["id"], due)]


async def test_summary_is_for_the_organization_and_operators(
    operator: Caller, payer: Tenant, payee: Tenant, issue_key: Callable[..., Awaitable[Caller]]
) -> None:
    path = f"/organizations/{payer.org_id}/summary"
    for caller in (payer.auditor, operator):
        assert good(await caller.get(path))["organization_id"] == payer.org_id
    assert good(await operator.get(f"/billing/summary?organization_id={payer.org_id}"))["assets"] == []
    refused(await payee.owner.get(path), 404, "not_found")
    refused(await payee.owner.get(f"/billing/summary?organization_id={payer.org_id}"), 404, "not_found")
    refused(await (await issue_key("validator")).get(path), 403, "auth.forbidden")
    refused(await operator.get(path[:20] + "0" * 25 + "/summary"), 404, "not_found")


async def test_verify_finds_accounts_missing_in_summaries(
    operator: Caller, database: Database, database_urls: DatabaseUrls, payer: Tenant, payee: Tenant
) -> None:
    await grant(operator, payer.org_id, "5")
    escrow_id = await escrow_between(operator, database, payer, payee)
    await pay_in(database, escrow_id, payer)
    async with connected(database_urls.owner) as owner, undone(owner):
        await owner.execute("SET LOCAL session_replication_role = replica")
        await owner.execute("UPDATE escrow_parties SET status = 'released' WHERE escrow_id = $1", escrow_id)
        wallet = accounts.org_credits(payer.org_id).path
        await owner.execute("UPDATE ledger.accounts SET path = 'org/x/else' WHERE path = $1", wallet)
        found = [row[0] for rule in store.INVARIANTS for row in await owner.fetch(rule.violations)]
    assert f"org/x/else of {payer.org_id}" in found
    assert f"{payer.org_id} CREDIT: summary 4000000 held 0, books 5000000 held 0" in found
