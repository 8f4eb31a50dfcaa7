"""Credit statistics: credits received, used, refunded and expired, the burn rate, and the runway."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain.common.accounts import org_credits, platform
from domain.credits.lots import LotSource, LotTerms
from ledger.gateway import Ledger
from ledger.spending import Spending
from ledger.spends import NewSpend
from runtime.database import Database, driver_connection
from tests.api.conftest import Caller, Tenant, good, new_key, refused
from tests.api.paying import Written
from tests.api.spending import reserve, use

pytestmark = pytest.mark.db


async def stats(tenant: Tenant) -> dict[str, Any]:
    found: dict[str, Any] = good(await tenant.auditor.get("/credits/stats"))
    return found


async def test_new_organization_has_used_nothing(new_tenant: Any) -> None:
    shown = await stats(await new_tenant("auditor"))
    amounts = ("available", "purchased", "granted", "rewarded", "used", "refunded", "expired", "burn_rate")
    assert {shown[name] for name in amounts} == {"0.00"}
    assert shown["days_left"] is None


async def test_uses_and_captures_count_and_holds_do_not(spender: Tenant, operator: Caller) -> None:
    body = {"organization_id": spender.org_id, "amount": "50", "source": "reward"}
    good(await operator.post("/credits/grants", body, key=new_key()), 201)
    await use(spender.member, amount="10")
    items = [{"key": str(number), "amount": "1"} for number in range(5)]
    good(await spender.member.post("/credits/use/batch", {"items": items}))
    held = await reserve(spender.member, "9")
    path = f"/credits/reservations/{held['id']}/capture"
    good(await spender.member.post(path, {"amount": "5", "final_capture": False}, key=new_key()))
    shown = await stats(spender)
    assert (shown["granted"], shown["rewarded"], shown["purchased"]) == ("100.00", "50.00", "0.00")
    assert (shown["used"], shown["available"], shown["reserved"]) == ("20.00", "126.00", "4.00")
    assert (shown["burn_rate"], shown["burn_days"], shown["days_left"]) == ("20.00", 1, 6)


async def test_credits_that_were_bought_count_once_also_where_they_paid_a_debt_or_were_disputed(
    spender: Tenant, database: Database
) -> None:
    async with database.platform() as session:
        books = Spending(await driver_connection(session), spender.org_id)
        await books.force(NewSpend(key="owed", action="tool", amount_minor=130_000_000), at=datetime.now(UTC))
    bought = await Written(database, spender.org_id).begin()
    bought.there.pay()
    await bought.look()
    shown = await stats(spender)
    assert (shown["purchased"], shown["granted"], shown["available"]) == ("100.00", "100.00", "70.00")
    ref = bought.there.dispute()
    await bought.look()
    assert (await stats(spender))["purchased"] == "100.00"
    bought.there.close_dispute(ref, won=False)
    await bought.look()
    bought.there.appeal(ref)
    bought.there.close_dispute(ref, won=True)
    await bought.look()
    shown = await stats(spender)
    assert (shown["purchased"], shown["granted"], shown["available"]) == ("100.00", "100.00", "70.00")


async def test_refund_reduces_the_rate(spender: Tenant, database: Database) -> None:
    used = await use(spender.member, amount="10")
    async with database.platform() as session:
        books = Spending(await driver_connection(session), spender.org_id)
        from domain.common.ids import uuid_of

        await books.refund(key="r", spend_id=uuid_of(used["id"]), amount_minor=4_000_000, at=datetime.now(UTC))
    shown = await stats(spender)
    assert (shown["used"], shown["refunded"], shown["burn_rate"]) == ("10.00", "4.00", "6.00")


async def test_expired_credits_are_counted_once(spender: Tenant, database: Database, operator: Caller) -> None:
    soon = datetime.now(UTC) + timedelta(hours=1)
    body = {"organization_id": spender.org_id, "amount": "7", "source": "promotion", "expires_at": soon.isoformat()}
    good(await operator.post("/credits/grants", body, key=new_key()), 201)
    for _ in range(2):
        async with database.platform() as session:
            await Ledger(await driver_connection(session)).expire_lots(now=soon + timedelta(hours=1), limit=100_000)
    assert (await stats(spender))["expired"] == "7.00"


async def test_rate_counts_from_the_first_use_although_credits_expired_before(
    spender: Tenant, database: Database
) -> None:
    now = datetime.now(UTC)
    async with database.platform() as session:
        ledger = Ledger(await driver_connection(session))
        await ledger.post(
            key=new_key(),
            kind="credit.grant",
            source=platform("promotions", "CREDIT"),
            destination=org_credits(spender.org_id),
            amount_minor=5_000_000,
            effective_at=now - timedelta(days=20),
            lots=LotTerms(source=LotSource.PROMOTION, expires_at=now - timedelta(days=10)),
        )
        await ledger.expire_lots(now=now - timedelta(days=9), limit=100_000)
    assert (await stats(spender))["burn_days"] == 30
    await use(spender.member, amount="10")
    shown = await stats(spender)
    assert (shown["expired"], shown["burn_rate"], shown["burn_days"]) == ("5.00", "10.00", 1)


async def test_rate_is_that_of_the_latest_thirty_days(spender: Tenant, database: Database) -> None:
    now = datetime.now(UTC)
    async with database.platform() as session:
        books = Spending(await driver_connection(session), spender.org_id)
        for ago, amount_minor in ((40, 20_000_000), (20, 30_000_000), (0, 15_000_000)):
            spend = NewSpend(key=f"ago-{ago}", action="tool", amount_minor=amount_minor)
            await books.charge(spend, at=now - timedelta(days=ago))
    shown = await stats(spender)
    assert (shown["used"], shown["burn_rate"], shown["burn_days"], shown["days_left"]) == ("65.00", "1.50", 30, 23)


async def test_statistics_of_others_are_not_found(spender: Tenant, stranger: Tenant, operator: Caller) -> None:
    of = f"/credits/stats?organization_id={spender.org_id}"
    refused(await stranger.owner.get(of), 404, "not_found")
    assert good(await operator.get(of))["granted"] == "100.00"
