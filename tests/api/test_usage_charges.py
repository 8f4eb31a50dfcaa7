"""Usage events charged by their meters: once each, to the organization's credits, despite crashes."""

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from activities.usage.usage_charges import UsageChargeActivities
from contracts.usage.usage_charges import ChargedUsage, ChargeUsage, UsageCharging
from domain.common.credits import CreditPrice
from domain.common.ids import uuid_of
from domain.usage.charge import CostRules
from ledger.spending import Spending
from ledger.spends import NewSpend
from runtime.database import Database, driver_connection
from services.usage.usage_charge import charge_due
from tests.api.conftest import Caller, Tenant, good, new_key, refused
from tests.api.metering import NUMBERS, event, import_prices, proven as proven, send, statuses
from tests.api.spending import balance, grant, limit, reserve, use
from tests.support.billing import credit

pytestmark = pytest.mark.db

TEN_CENTS = CostRules(granted=CreditPrice(price=Decimal("0.10"), currency="USD"))
PER_UNIT = {"price": {"model": "per_unit", "unit_price": "0.10"}, "currency": "USD"}
IN_CREDITS = {"price": {"model": "per_unit", "unit_price": "1"}, "currency": "CREDIT"}


@pytest.fixture
async def payer(new_tenant: Any, database: Database) -> Tenant:
    """An organization whose only assets are 100 credits bought at 0.10."""
    tenant: Tenant = await new_tenant("owner")
    await credit(database, tenant.org_id, 100_000_000, paid=1_000)
    return tenant


def kind() -> str:
    """Return a unique event type, because platform meters read the events of every test."""
    return f"charged-{next(NUMBERS)}"


async def charged_meter(owner: Caller, operator: Caller, event_type: str, **more: Any) -> str:
    body = {"name": event_type, "event_type": event_type, "aggregation": "sum", "property": "n", **PER_UNIT, **more}
    body = {name: value for name, value in body.items() if value is not None}
    meter_id: str = good(await owner.post("/usage/meters", body), 201)["id"]
    assert good(await operator.post(f"/usage/meters/{meter_id}/charge"))["charged_at"] is not None
    return meter_id


async def sweep(database: Database, *, rules: CostRules = TEN_CENTS, hours: int = 0, limit: int = 200) -> UsageCharging:
    """Do what the workflow does, without one."""
    at = datetime.now(UTC) + timedelta(hours=hours, seconds=1)
    work, progress = UsageChargeActivities(database, rules), UsageCharging(due_before=at, limit=limit)
    while True:
        asked = ChargeUsage(after=progress.after, due_before=at, at=at, limit=limit)
        done = await work.charge_usage(asked)
        last, progress = progress.is_last(done), progress.plus(done)
        if last:
            return progress


async def charges(caller: Caller, **query: Any) -> dict[str, tuple[str, str | None]]:
    """Return the status of each event's charge, with its amount or the reason for waiting."""
    log = good(await caller.get("/usage/logs", params={"limit": 200, **query}))["data"]
    shown = {one["event_id"]: one["charge"] for one in log if one["charge"]}
    return {name: (charge["status"], charge["amount"] or charge["waits_for"]) for name, charge in shown.items()}


async def spends(caller: Caller) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = good(await caller.get("/credits/usage?limit=200"))["data"]
    return found


async def test_event_is_charged_once_by_the_price_of_its_meter(
    payer: Tenant, operator: Caller, database: Database
) -> None:
    type_ = kind()
    await charged_meter(payer.owner, operator, type_)
    late = (datetime.now(UTC) - timedelta(days=30)).isoformat()
    first, other = event(type=type_, data={"n": 3, "action": "search", "model": "m"}), event(type=type_, data={"n": 1})
    await send(payer.owner, first, other, event(type=type_, time=late, data={"n": "0.5"}))
    await send(payer.owner, first, event())
    assert await balance(payer.owner) == ("100.00", "0.00")
    assert set((await charges(payer.owner)).values()) == {("due", None)}
    assert (await sweep(database)).charged >= 3
    assert await balance(payer.owner) == ("95.50", "0.00")
    assert (await charges(payer.owner))[first["id"]] == ("charged", "3.00")
    [paid] = [each for each in await spends(payer.owner) if each["amount"] == "3.00"]
    charged = good(await payer.owner.get(f"/credits/spends/{paid['id']}"))["usage_event"]
    assert (charged["event_id"], charged["charge"]["spend_id"]) == (first["id"], paid["id"])
    named = {"amount": "1", "metadata": {"usage_event": charged["id"]}}
    claimed = good(await payer.owner.post("/credits/use", named, key=new_key()), 201)
    assert good(await payer.owner.get(f"/credits/spends/{claimed['id']}"))["usage_event"] is None
    good(await operator.post(f"/credits/spends/{claimed['id']}/refunds", {}, key=new_key()), 201)
    await send(payer.owner, first)
    await sweep(database, hours=5)
    assert await balance(payer.owner) == ("95.50", "0.00")
    [spend] = [one for one in await spends(payer.owner) if one["action"] == "search"]
    assert spend["amount"] == "3.00"
    assert spend["metadata"]["model"] == "m"
    assert spend["metadata"]["usage_event"].startswith("uev_")


async def test_quantities_of_many_digits_are_added_up_exactly(
    payer: Tenant, operator: Caller, database: Database
) -> None:
    type_ = kind()
    price = {"model": "per_unit", "unit_price": "0.000000000000000001"}
    await charged_meter(payer.owner, operator, type_, price=price)
    # Together they have 29 digits; each costs a hundredth of a credit.
    events = [event(type=type_, data={"n": "999999999999999.123456789013"}) for _ in range(13)]
    await send(payer.owner, *events)
    await sweep(database)
    async with database.platform() as session:
        query = text("SELECT charged FROM meter_months WHERE org_id = :org")
        kept = list(await session.scalars(query, {"org": payer.org_id}))
    assert kept == [Decimal("12999999999999988.604938257169")]


async def test_event_that_names_its_spend_is_never_charged(
    payer: Tenant, stranger: Tenant, operator: Caller, database: Database
) -> None:
    type_ = kind()
    await charged_meter(payer.owner, operator, type_)
    spent = (await use(payer.owner, amount="2", action="call"))["id"]
    named, unknown = event(type=type_, data={"n": 2, "spend_id": spent}), "spd_" + "0" * 26
    foreign = event(type=type_, data={"n": 2, "spend_id": spent})
    answer = await send(payer.owner, named, event(type=type_, data={"n": 2, "spend_id": unknown}))
    assert statuses(answer) == ["accepted", "usage.invalid_event"]
    assert statuses(await send(stranger.owner, foreign)) == ["usage.invalid_event"]
    assert statuses(await send(payer.owner, named)) == ["duplicate"]
    await sweep(database)
    assert await charges(payer.owner) == {}
    assert await balance(payer.owner) == ("98.00", "0.00")


async def test_spend_without_a_payment_pays_for_no_event(payer: Tenant, operator: Caller, database: Database) -> None:
    type_ = kind()
    await charged_meter(payer.owner, operator, type_)
    held = (await reserve(payer.owner, "2"))["id"]
    named = event(type=type_, data={"n": 2, "spend_id": f"spd_{held.removeprefix('hold_')}"})
    # What is held may still be captured for it.
    assert statuses(await send(payer.owner, named)) == ["accepted"]
    good(await payer.owner.post("/credits/release", {"reservation_id": held}, key=new_key()))
    assert statuses(await send(payer.owner, named)) == ["duplicate"]
    released = event(type=type_, data=named["data"])
    assert statuses(await send(payer.owner, released)) == ["usage.invalid_event"]
    assert statuses(await send(payer.owner, {**released, "data": {"n": 2}})) == ["accepted"]
    await sweep(database)
    assert await balance(payer.owner) == ("98.00", "0.00")


async def test_meter_charges_events_received_after_it_is_marked(
    payer: Tenant, operator: Caller, database: Database
) -> None:
    type_ = kind()
    body = {"name": type_, "event_type": type_, "aggregation": "count", **PER_UNIT}
    meter_id = good(await payer.owner.post("/usage/meters", body), 201)["id"]
    marked = asyncio.Event()
    before: list[str] = []
    after: list[str] = []

    async def flow() -> None:
        while len(after) < 20:
            known, one = marked.is_set(), event(type=type_)
            assert statuses(await send(payer.owner, one)) == ["accepted"]
            if not marking.is_set():
                before.append(one["id"])
            elif known:
                after.append(one["id"])

    marking = asyncio.Event()
    senders = [asyncio.create_task(flow()) for _ in range(3)]
    while len(before) < 10:
        await send(payer.owner, event(type=type_, id=f"own-{len(before)}"))
        await asyncio.sleep(0)
    marking.set()
    good(await operator.post(f"/usage/meters/{meter_id}/charge"))
    marked.set()
    await asyncio.gather(*senders)
    await sweep(database)
    found = await charges(payer.owner)
    assert not set(before) & set(found)
    assert set(after) <= set(found)
    assert set(found.values()) == {("charged", "1.00")}
    available, _ = await balance(payer.owner)
    assert Decimal(available) == 100 - len(found)


async def test_usage_refused_by_the_balance_is_charged_as_debt(
    payer: Tenant, operator: Caller, database: Database
) -> None:
    type_ = kind()
    await charged_meter(payer.owner, operator, type_, **IN_CREDITS)
    await limit(database, payer.org_id, day=20_000_000)
    await send(payer.owner, *(event(type=type_, data={"n": n}) for n in (15, 15, 60, 30)))
    await sweep(database)
    # 120 of 100 credits, against a limit of 20.
    assert sorted(await charges(payer.owner)) == sorted(
        one["event_id"] for one in good(await payer.owner.get("/usage/logs"))["data"]
    )
    shown = good(await payer.owner.get("/credits/balance"))
    assert (shown["available"], shown["owed"]) == ("0.00", "20.00")
    async with database.platform() as session:
        query = text("SELECT spent, forced FROM ledger.counters WHERE org_id = :org")
        [counter] = [tuple(row) for row in await session.execute(query, {"org": payer.org_id})]
    assert counter == (15_000_000, 105_000_000)


async def test_pitfall_12_sweeps_at_once_charge_every_event_once(
    payer: Tenant, stranger: Tenant, operator: Caller, database: Database
) -> None:
    type_ = kind()
    for tenant in (payer, stranger):
        await charged_meter(tenant.owner, operator, type_, **IN_CREDITS)
        await send(tenant.owner, *(event(type=type_, data={"n": "0.01"}) for _ in range(60)))
    await grant(operator, stranger.org_id)
    had = Decimal((await balance(stranger.owner))[0])
    done = await asyncio.gather(*(sweep(database, limit=7) for _ in range(5)))
    assert sum(one.charged for one in done) >= 120
    assert len(await spends(payer.owner)) == 60
    assert await balance(payer.owner) == ("99.40", "0.00")
    assert Decimal((await balance(stranger.owner))[0]) == had - Decimal("0.60")


async def test_sweep_that_dies_before_its_commit_leaves_all_charges_to_the_next(
    payer: Tenant, operator: Caller, database: Database
) -> None:
    type_ = kind()
    await charged_meter(payer.owner, operator, type_)
    await send(payer.owner, *(event(type=type_, data={"n": 1}) for _ in range(5)))
    at = datetime.now(UTC) + timedelta(seconds=1)

    async def die() -> None:
        async with database.platform() as session:
            done = await charge_due(session, payer.org_id, due_before=at, at=at, rules=TEN_CENTS, limit=200)
            assert done.charged == 5
            raise ConnectionAbortedError

    with pytest.raises(ConnectionAbortedError):
        await die()
    assert await balance(payer.owner) == ("100.00", "0.00")
    await sweep(database)
    assert await balance(payer.owner) == ("95.00", "0.00")
    assert len(await spends(payer.owner)) == 5


async def test_event_in_a_currency_without_a_price_or_rate_waits_and_alerts(
    payer: Tenant, operator: Caller, database: Database
) -> None:
    type_ = kind()
    await charged_meter(payer.owner, operator, type_, currency="PKR")
    sent = event(type=type_, data={"n": 2})
    await send(payer.owner, sent)
    assert (await sweep(database)).waiting == 1
    assert await charges(payer.owner) == {sent["id"]: ("waiting", "rate")}
    assert await balance(payer.owner) == ("100.00", "0.00")
    async with database.platform() as session:
        query = text("SELECT detail FROM alerts WHERE kind = 'usage.not_charged' AND org_id = :org")
        [detail] = await session.scalars(query, {"org": payer.org_id})
    assert "currency" in detail
    # Tried again after an hour, and not before.
    rate = {"base": "USD", "quote": "PKR", "rate": "2", "valid_for": "PT3H"}
    good(await operator.post("/exchange-rates", rate), 201)
    assert (await sweep(database)).charged == 0
    assert (await sweep(database, hours=2)).charged == 1
    assert await charges(payer.owner) == {sent["id"]: ("charged", "1.00")}


async def test_event_in_another_currency_is_charged_at_the_rate_of_its_charge(
    payer: Tenant, operator: Caller, database: Database
) -> None:
    type_ = kind()
    await charged_meter(payer.owner, operator, type_, currency="HUF")
    first, second = event(type=type_, data={"n": 2}), event(type=type_, data={"n": 2})
    await send(payer.owner, first)
    assert (await sweep(database)).waiting == 1
    rate = {"base": "USD", "quote": "HUF", "rate": "0.7", "valid_for": "PT3H"}
    good(await operator.post("/exchange-rates", rate), 201)
    assert (await sweep(database, hours=2)).charged == 1
    # By hand: 0.20 / 0.7 dollars at 0.10 a credit are 2.857142857… credits, rounded up.
    assert await charges(payer.owner) == {first["id"]: ("charged", "2.857143")}
    # Once the rate is too old, what comes in waits for another one.
    await send(payer.owner, second)
    assert (await sweep(database, hours=4)).waiting == 1
    assert (await charges(payer.owner))[second["id"]] == ("waiting", "rate")


async def test_event_of_a_meter_without_a_price_is_charged_at_cost(
    payer: Tenant, operator: Caller, database: Database
) -> None:
    type_, model = kind(), f"charged-model-{next(NUMBERS)}"
    await charged_meter(payer.owner, operator, type_, aggregation="count", property=None, price=None, currency=None)
    call = {"model": model, "usage": {"input_tokens": 3, "output_tokens": 1}}
    unknown, unrated = event(type=type_, data=call), event(type=type_, data={"model": model})
    assert statuses(await send(payer.owner, unknown, unrated)) == ["usage.model_unknown", "usage.unrated"]
    await import_prices(
        database, model, datetime.now(UTC) - timedelta(days=9), input_tokens="0.00000001", output_tokens="0.01"
    )
    assert statuses(await send(payer.owner, unknown, unrated)) == ["accepted", "usage.unrated"]
    # The platform says of its own events that nothing was used, such as a call that a cache answered.
    cached = event(type=type_, source="platform:proxy", data={"model": model})
    of = f"/usage/events?organization_id={payer.org_id}"
    assert statuses(await send(operator, cached, path=of)) == ["accepted"]
    await sweep(database)
    # By hand: 3 x 0.00000001 + 0.01 = 0.01000003 dollars are 0.1000003 credits: rounded up, once.
    assert await charges(payer.owner) == {unknown["id"]: ("charged", "0.100001")}
    assert await balance(payer.owner) == ("99.899999", "0.00")


async def test_tiered_price_steps_add_up_over_sweeps_and_restart_each_month(
    payer: Tenant, operator: Caller, database: Database
) -> None:
    type_ = kind()
    tiers = [{"up_to": "5", "unit_price": "0.10"}, {"unit_price": "0.05"}]
    price = {"model": "graduated", "tiers": tiers, "free_units": "2"}
    await charged_meter(payer.owner, operator, type_, price=price)
    today = datetime.now(UTC).isoformat()
    month_ago = (datetime.now(UTC) - timedelta(days=32)).isoformat()
    for n in (1, 4, 7):
        await send(payer.owner, event(type=type_, time=today, data={"n": n}))
        await sweep(database, limit=1)
    # By hand, in credits: 12 less 2 free: 5 at 1 and 5 at 0.5.
    assert sorted(value or "" for _, value in (await charges(payer.owner)).values()) == ["0.00", "3.00", "4.50"]
    await send(payer.owner, event(type=type_, time=month_ago, data={"n": 4}))
    await sweep(database)
    assert await balance(payer.owner) == ("90.50", "0.00")


async def test_event_refused_by_the_ledger_waits_without_delaying_others(
    payer: Tenant, operator: Caller, database: Database
) -> None:
    type_ = kind()
    tiers = [{"up_to": "1", "unit_price": "1"}, {"unit_price": "0.10"}]
    await charged_meter(payer.owner, operator, type_, price={"model": "graduated", "tiers": tiers})
    events = [event(type=type_, data={"n": 1}) for _ in range(3)]
    answer = await send(payer.owner, *events)
    bad = min(answer["events"], key=lambda one: uuid_of(one["id"]))
    async with database.platform() as session:
        taken = NewSpend(key=f"usage:{UUID(str(uuid_of(bad['id'])))}", action="other", amount_minor=0)
        await Spending(await driver_connection(session), payer.org_id).charge(taken, at=datetime.now(UTC))
    assert (await sweep(database)).waiting == 1
    found = await charges(payer.owner)
    assert found.pop(bad["event_id"]) == ("waiting", "books")
    # The first step is the one of the first event that is charged.
    assert sorted(found.values()) == [("charged", "1.00"), ("charged", "10.00")]


async def test_only_operators_make_a_meter_chargeable_and_close_it_then(
    payer: Tenant, stranger: Tenant, operator: Caller
) -> None:
    type_ = kind()
    volume = {"model": "volume", "tiers": [{"unit_price": "1"}]}
    for wrong in ({"aggregation": "max"}, {"price": volume}):
        body = {"name": kind(), "event_type": type_, "aggregation": "sum", "property": "n", **PER_UNIT, **wrong}
        made = good(await payer.owner.post("/usage/meters", body), 201)["id"]
        refused(await operator.post(f"/usage/meters/{made}/charge"), 409, "meter.not_chargeable")
        good(await payer.owner.delete(f"/usage/meters/{made}"))
    body = {"name": type_, "event_type": type_, "aggregation": "count", **PER_UNIT}
    meter_id = good(await payer.owner.post("/usage/meters", body), 201)["id"]
    refused(await payer.owner.post(f"/usage/meters/{meter_id}/charge"), 403, "auth.forbidden")
    refused(await stranger.owner.post(f"/usage/meters/{meter_id}/charge"), 404, "not_found")
    marked = good(await operator.post(f"/usage/meters/{meter_id}/charge"))
    assert good(await operator.post(f"/usage/meters/{meter_id}/charge")) == marked
    refused(await payer.owner.delete(f"/usage/meters/{meter_id}"), 403, "auth.forbidden")
    good(await operator.delete(f"/usage/meters/{meter_id}"))
    other = good(await payer.owner.post("/usage/meters", {**body, "name": kind()}, key=new_key()), 201)["id"]
    good(await payer.owner.delete(f"/usage/meters/{other}"))
    refused(await operator.post(f"/usage/meters/{other}/charge"), 409, "meter.closed")


async def test_organizations_own_meter_does_not_prevent_charges_of_operator_usage(
    payer: Tenant, operator: Caller
) -> None:
    event_type = kind()
    await charged_meter(payer.owner, operator, event_type)
    blind = {"name": f"{event_type} unread", "event_type": event_type, "aggregation": "sum", "property": "nothing"}
    good(await payer.owner.post("/usage/meters", blind), 201)
    sent = event(type=event_type, data={"n": 1})
    assert statuses(await send(payer.owner, sent)) == ["usage.invalid_event"]
    assert statuses(await send(operator, sent, path=f"/usage/events?organization_id={payer.org_id}")) == ["accepted"]
    assert await charges(payer.owner) == {sent["id"]: ("due", None)}


async def test_charge_of_an_event_never_changes_and_is_seen_by_its_organization_only(
    payer: Tenant, stranger: Tenant, operator: Caller, database: Database
) -> None:
    type_ = kind()
    await charged_meter(payer.owner, operator, type_)
    await send(payer.owner, event(type=type_, data={"n": 1}))
    await sweep(database)
    for statement in (
        "UPDATE usage_charges SET spend_id = NULL, amount = NULL, charged_at = NULL WHERE org_id = :org",
        "DELETE FROM usage_charges WHERE org_id = :org",
    ):
        with pytest.raises(Exception, match=r"permission denied|append-only"):
            async with database.platform() as session:
                await session.execute(text(statement), {"org": payer.org_id})
    count = text("SELECT count(*) FROM usage_charges WHERE org_id = :org")
    async with database.tenant(stranger.org_id) as session:
        assert (await session.scalars(count, {"org": payer.org_id})).one() == 0
    async with database.tenant(payer.org_id) as session:
        assert (await session.scalars(count, {"org": payer.org_id})).one() == 1


def test_organizations_are_charged_in_turns_until_a_round_has_no_full_page() -> None:
    now = datetime.now(UTC)
    progress = UsageCharging(due_before=now, limit=2)
    pages = [
        ChargedUsage(org_id="a", charged=2, is_full=True),
        ChargedUsage(org_id="b", charged=1),
        ChargedUsage(),
        ChargedUsage(org_id="a", charged=1, waiting=1),
        ChargedUsage(),
    ]
    places = []
    for page in pages:
        last, progress = progress.is_last(page), progress.plus(page)
        places.append((progress.after, last))
    assert places == [("a", False), ("b", False), ("", False), ("a", False), ("", True)]
    assert (progress.charged, progress.waiting) == (4, 1)


async def test_usage_debt_is_limited_to_one_maximum_charge(payer: Tenant, operator: Caller, database: Database) -> None:
    type_ = kind()
    await charged_meter(payer.owner, operator, type_, **IN_CREDITS)
    first, second, small = (event(type=type_, data={"n": n}) for n in (900_000_000, 200_000_000, 100_000_000))
    await send(payer.owner, first)
    await sweep(database)
    # Together in one page: what is left goes to whichever fits.
    await send(payer.owner, second)
    await send(payer.owner, small)
    await sweep(database)
    found = await charges(payer.owner)
    assert (found[first["id"]][0], found[second["id"]], found[small["id"]][0]) == (
        "charged",
        ("waiting", "amount"),
        "charged",
    )
    await grant(operator, payer.org_id, "500000000")
    await sweep(database, hours=2)
    assert (await charges(payer.owner))[second["id"]] == ("charged", "200000000.00")


async def test_organization_is_not_closed_before_its_usage_is_charged(
    new_tenant: Any, operator: Caller, database: Database
) -> None:
    leaver: Tenant = await new_tenant("owner")
    type_ = kind()
    await charged_meter(leaver.owner, operator, type_, **IN_CREDITS)
    await send(leaver.owner, event(type=type_, data={"n": 3}))
    close, reason = f"/organizations/{leaver.org_id}/close", {"reason": "The customer has left."}
    month = f"{datetime.now(UTC):%Y-%m}"
    left = refused(await operator.post(close, reason), 409, "organization.not_empty")["left"]
    assert left == [{"kind": "uncharged_usage", "ids": [month]}]
    await sweep(database)
    left = refused(await operator.post(close, reason), 409, "organization.not_empty")["left"]
    assert left == [{"kind": "owed", "currency": "CREDIT", "amount": "-3.00"}]
