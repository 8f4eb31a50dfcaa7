"""Figures over time over HTTP."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from domain.common.money import format_amount
from repositories.credits import spend_day
from runtime.database import Database
from tests.api.conftest import Caller, Tenant, good, new_key, refused
from tests.api.paying import Written
from tests.api.spending import grant
from tests.api.test_earnings import earn

pytestmark = pytest.mark.db


def today() -> str:
    return datetime.now(UTC).date().isoformat()


async def series(caller: Caller, query: str) -> dict[str, Any]:
    return dict(good(await caller.get(f"/series?{query}")))


async def use(caller: Caller, amount: str, **body: Any) -> dict[str, Any]:
    return dict(good(await caller.post("/credits/use", {"amount": amount, **body}, key=new_key()), 201))


async def test_balance_series_ends_at_the_wallet_balance(operator: Caller, new_tenant: Any) -> None:
    tenant: Tenant = await new_tenant("owner")
    await grant(operator, tenant.org_id, "12.50")
    await use(tenant.owner, "2.25")
    shown = await series(tenant.owner, "metric=balance")
    (only,) = shown["series"]
    assert (shown["currency"], shown["zone"], len(shown["times"])) == ("CREDIT", "UTC", len(only["values"]))
    assert (only["group"], only["values"][0], only["values"][-1]) == (None, "0.00", "10.25")
    hours = await series(tenant.owner, f"metric=balance&from={today()}&interval=hour")
    assert hours["series"][0]["values"][-1] == "10.25"
    none = await series(tenant.owner, "metric=balance&currency=EUR")
    assert set(none["series"][0]["values"]) == {"0.00"}


async def test_spending_is_grouped_by_day_of_use_without_refunds(
    operator: Caller, new_tenant: Any, database: Database
) -> None:
    tenant: Tenant = await new_tenant("owner")
    await grant(operator, tenant.org_id, "100")
    spent = await use(tenant.owner, "5", action="a")
    await use(tenant.owner, "3", action="b")
    good(await operator.post(f"/credits/spends/{spent['id']}/refunds", {"amount": "1"}, key=new_key()), 201)
    for _ in range(2):
        shown = await series(tenant.owner, "metric=spending&group_by=action")
        assert {one["group"]: one["values"][-1] for one in shown["series"]} == {"a": "4.00", "b": "3.00"}
        whole = await series(tenant.owner, "metric=spending&interval=month")
        assert whole["series"][0]["values"][-1] == "7.00"
        # The second time from the day's rollup.
        day = datetime.now(UTC).date()
        async with database.platform() as session:
            await spend_day.roll_up(session, since=day, until=day + timedelta(days=1), limit=1_000)


async def test_small_groups_are_merged(operator: Caller, new_tenant: Any) -> None:
    tenant: Tenant = await new_tenant("owner")
    await grant(operator, tenant.org_id, "1000")
    for number in range(1, 13):
        await use(tenant.owner, str(number), action=f"act-{number:02}")
    shown = await series(tenant.owner, f"metric=spending&group_by=action&from={today()}")
    found = {one["group"]: one["values"] for one in shown["series"]}
    assert len(found) == 10
    assert (found["act-12"], found["others"]) == (["12.00"], ["6.00"])


async def test_payments_are_counted_and_their_amounts_summed(database: Database, new_tenant: Any) -> None:
    tenant: Tenant = await new_tenant("owner")
    paid = await Written(database, tenant.org_id).begin()
    paid.there.pay()
    await paid.look()
    await Written(database, tenant.org_id).begin()
    period = f"from={(paid.terms.created_at - timedelta(days=1)).date()}&to={datetime.now(UTC).date()}&interval=month"
    for metric, number in (("payments.started", 2), ("payments.succeeded", 1)):
        shown = await series(tenant.owner, f"metric={metric}&group_by=provider&{period}")
        assert shown["currency"] is None
        assert sum(int(value) for one in shown["series"] for value in one["values"]) == number
    brought = await series(tenant.owner, f"metric=payments.received&currency=USD&{period}")
    assert any(value != "0.00" for value in brought["series"][0]["values"])


async def test_earnings_are_grouped_by_agent(database: Database, new_tenant: Any) -> None:
    payer, studio = await new_tenant("owner"), await new_tenant("owner")
    await earn(database, payer, studio, 5, "paid")
    shown = await series(studio.owner, f"metric=earnings&group_by=agent&from={today()}")
    assert shown["series"] == [{"group": studio.agent_id, "values": ["5.00"]}]
    none = await series(payer.owner, f"metric=earnings&group_by=agent&from={today()}")
    assert none["series"] == [{"group": None, "values": ["0.00"]}]


async def test_operator_sees_the_total_held_in_escrows(operator: Caller, database: Database) -> None:
    shown = await series(operator, f"metric=escrows.held&from={today()}")
    async with database.platform() as session:
        held = await session.scalar(
            text(
                "SELECT coalesce(sum(e.amount), 0)::bigint FROM ledger.entries e"
                " JOIN ledger.accounts a ON a.id = e.account_id WHERE a.path LIKE 'escrow/%' AND a.asset = 'CREDIT'"
                " AND e.effective_at < CAST(:today AS date) + 1"  # other tests have clocks that are ahead
            ),
            {"today": datetime.now(UTC).date()},
        )
    assert shown["series"][0]["values"][-1] == format_amount(held, "CREDIT")


async def test_days_follow_the_time_zone(operator: Caller, new_tenant: Any) -> None:
    tenant: Tenant = await new_tenant("owner")
    await grant(operator, tenant.org_id, "1")
    shown = await series(tenant.owner, "metric=balance&from=2026-03-28&to=2026-03-30&zone=Europe/Berlin")
    assert shown["times"] == ["2026-03-27T23:00:00Z", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"]
    assert (await series(tenant.owner, "metric=spending&zone=Europe/Berlin"))["zone"] == "Europe/Berlin"
    assert (await series(tenant.owner, "metric=earnings&zone=Europe/Berlin"))["zone"] == "UTC"


@pytest.mark.parametrize(
    ("query", "code", "field"),
    [
        ("metric=balance&from=2024-01-01&to=2026-01-01", "request.invalid", "interval"),
        ("metric=balance&group_by=agent", "analytics.unknown", "by"),
        ("metric=escrows.held", "analytics.unknown", "metric"),
        ("metric=balance&from=2026-02-01&to=2026-01-01", "request.invalid", "from"),
        ("metric=balance&zone=Nowhere/Land", "request.invalid", "zone"),
    ],
)
async def test_invalid_series_query_is_refused_with_its_field(
    tenant: Tenant, query: str, code: str, field: str
) -> None:
    assert refused(await tenant.owner.get(f"/series?{query}"), 422, code)["field"] == field
