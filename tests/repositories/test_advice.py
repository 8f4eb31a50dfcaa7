"""Reads for advice with the tenant's database role, and group quarters that hide each member's figure."""

import json
import os
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from pydantic import TypeAdapter
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.routing import BaseRoute, Match

from console.nouns import ROUTES as CONSOLE
from domain.billing.plan import Interval, plans_from
from domain.billing.subscription.state import Subscription, SubscriptionStatus, Terms
from domain.billing.tax.rates import TaxCategory
from domain.billing.tax.sale import SaleTax
from domain.common.access import Actor, Role
from domain.common.errors import Invalid, NotFound
from domain.common.ids import make_id, uuid_id
from domain.common.period import Anchor
from domain.insight.advice.insight import Insight
from domain.insight.peers import PeerMetric, PeerReason
from domain.payments.payment.terms import PurposeKind
from domain.payments.topup import parse_packages
from repositories.credits import lot_price
from repositories.credits.spend_id_range import first_id
from repositories.insight import advice as store, peers as figures, purchases
from repositories.insight.advice import Month
from runtime.database import Database
from runtime.identity import new_id
from services.insight import advice, peers
from services.insight.advice import CurrentPrices
from tests.api.paying import Written
from tests.conftest import DatabaseUrls
from tests.support.lots import buy
from tests.support.payments import CREDITS as SOLD
from tests.support.plans import rows_read, vacuum
from tests.support.routes import ROUTES as API
from tests.support.rows import Rows, rows_of

pytestmark = pytest.mark.db

CREDIT = 1_000_000
NOW = datetime(2026, 4, 2, 12, tzinfo=UTC)
MARCH = Month(since=datetime(2026, 3, 1, tzinfo=UTC), until=datetime(2026, 4, 1, tzinfo=UTC))
DAY = date(2026, 3, 10)
NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
LONG_AGO = datetime(2025, 1, 1, tzinfo=UTC)
TEAM = {"name": "team", "projects": 9, "deploys": 9, "seats": 9}
PRICE = {"interval": "month", "amount": "30.00", "currency": "USD"}
PLANS = plans_from(json.dumps([{"name": "free", "projects": 1, "deploys": 1, "seats": 1}, {**TEAM, "prices": [PRICE]}]))
LARGE = [{"name": "large", "credits": "1000", "price": "50.00", "currency": "USD"}]
PRICES = CurrentPrices(packages=parse_packages(json.dumps(LARGE)), includes_tax=False, plans=PLANS)


@pytest.fixture
async def rows(fresh_database_urls: DatabaseUrls) -> AsyncIterator[Rows]:
    async with rows_of(fresh_database_urls) as found:
        yield found


async def organization(rows: Rows, **values: Any) -> str:
    org_id = new_id("org")
    await rows.add("organizations", **{"id": org_id, "command_id": org_id, "created_at": LONG_AGO, **values})
    return org_id


async def spends(rows: Rows, org_id: str, at: datetime, amount: int, refunded: int = 0) -> None:
    """Insert a spend, with its day."""
    await rows.add("ledger.spends", org_id=org_id, id=first_id(at), idempotency_key=org_id + str(at), status="charged",
                   asset="CREDIT", amount=amount, captured=amount, refunded=refunded, at=at)  # fmt: skip
    await rows.add("ledger.credit_days", org_id=org_id, day=at.date(), used=amount, refunded=refunded, spends=1)


async def advised(database: Database, org_id: str, *, now: datetime = NOW) -> dict[str, Insight]:
    async with database.tenant(org_id) as session:
        found = await advice.advise(session, org_id, PRICES, now=now)
    assert found.month == MARCH.first
    for each in found.insights:
        assert is_served(API, each.act.method, each.act.path), each.act
        assert is_served(CONSOLE, "GET", f"/{org_id}{each.page}"), each.page
    return {each.id: each for each in found.insights}


def is_served(routes: Sequence[BaseRoute], method: str, path: str) -> bool:
    asked = {"type": "http", "method": method, "path": path}
    return any(route.matches(asked)[0] is Match.FULL for route in routes)


# Advice --------------------------------------------------------------------------------------------------------------


async def test_packages_are_compared_by_credit_price_without_tax(database: Database, rows: Rows) -> None:
    org_id = await organization(rows)
    tax = SaleTax(code="s", category=TaxCategory.STANDARD, rate_e6=190_000, amount_minor=1_900)
    for refunded in (False, False, True):
        sold = replace(SOLD, goods_minor=500 * CREDIT)
        paid = await Written(database, org_id, amount_minor=11_900, purpose=sold, tax=tax).begin()
        paid.there.pay()
        await paid.look()
        if refunded:
            paid.there.refund(100)
            await paid.look()
    found = (await advised(database, org_id))["package-USD"]
    assert found.how[0] == "You bought 1000.00 credits in 2 orders for 200.00 USD."
    assert found.amount_minor == 20_000 - 5_000
    assert not await advised(database, await organization(rows))


async def test_refusals_are_read_once_a_day_and_by_reason(database: Database, rows: Rows) -> None:
    org_id, control = await organization(rows), UUID(int=7)
    same = {"org_id": org_id, "action": "search", "amount": 5 * CREDIT, "spend_asset": "CREDIT", "agent_id": "agt_1"}
    charges: list[tuple[datetime, dict[str, Any]]] = [
        (NOON, {}),
        (NOON + timedelta(hours=1), {}),  # the same charge again
        (NOON + timedelta(days=1), {}),
        (NOON, {"amount": 7 * CREDIT}),
        (NOON, {"spend_asset": "USD"}),
        (MARCH.since - timedelta(microseconds=1), {}),
        (MARCH.until, {}),
        (NOON, {"control_id": control}),
        (NOON, {"org_id": "org_other"}),
    ]
    for number, (at, more) in enumerate(charges):
        await rows.add(
            "ledger.refusals", **{**same, "at": at, "idempotency_key": f"k{number}", "id": UUID(int=number), **more}
        )
    await rows.add("ledger.controls", id=control, org_id=org_id, kind="limit", subject_kind="organization",
                   subject_id=org_id, path=[control], status="active", week_starts=1)  # fmt: skip
    version = {"control_id": control, "org_id": org_id, "windows": ["day"], "status": "active"}
    for number, amount in ((1, 5), (2, 4), (3, 9)):
        at = NOON + timedelta(hours=number)
        await rows.add("ledger.control_versions", **version, version=number, amounts=[amount], changed_at=at,
                       command_id=f"c{number}")  # fmt: skip
    await rows.add("spend_days", org_id=org_id, day=DAY, action="search", agent_id="agt_1", captured=3 * CREDIT)
    await spends(rows, org_id, NOON, 100 * CREDIT)
    found = await advised(database, org_id)
    assert found["auto_topup-CREDIT"].amount_minor == (5 + 5 + 7) * CREDIT
    name = uuid_id("ctl", control)
    assert found[f"limit-{name}"].amount_minor == 3 * CREDIT
    async with database.tenant(org_id) as session:
        assert await store.limit_raises(session, org_id, MARCH, [control], timedelta(days=7)) == {
            name: [NOON + timedelta(hours=3)]
        }
    await rows.add("auto_topups", org_id=org_id, enabled=True, below_minor=1, credits_minor=1, monthly_cap_minor=1)
    assert set(await advised(database, org_id)) == {f"limit-{name}"}


async def agent(rows: Rows, org_id: str, rank_e6: int, *, category: str = "research", **offer: Any) -> str:
    agent_id = new_id("agt")
    await rows.add("agents", id=agent_id, org_id=org_id, name=agent_id, visibility="public", pricing_model="usage",
                   category=category, command_id=agent_id, created_at=LONG_AGO)  # fmt: skip
    await rows.add("reputation_agents", agent_id=agent_id, rank_e6=rank_e6, evidence_count=9, board="public")
    if offer:
        await rows.add(
            "marketplace_offers", agent_id=agent_id, org_id=org_id, category=category, status="listed", **offer
        )
    return agent_id


async def test_agents_are_compared_with_other_offers_at_actual_usage(database: Database, rows: Rows) -> None:
    org_id, seller = await organization(rows), await organization(rows)
    prices = {price: json.dumps({"page": price * CREDIT}) for price in (1, 2, 4)}
    mine = await agent(rows, seller, 500_000, model="usage", usage_prices=prices[4])
    cheap = await agent(rows, seller, 500_000, model="usage", usage_prices=prices[2])
    for rank, owner, category in (
        (499_999, seller, "research"),
        (900_000, org_id, "research"),
        (900_000, seller, "art"),
    ):
        await agent(rows, owner, rank, category=category, model="usage", usage_prices=prices[1])
    bought = {"org_id": org_id, "agent_id": mine, "payee_org_id": seller, "status": "active", "bought_at": LONG_AGO}
    await rows.add(
        "marketplace_purchases", id="pur_1", model="usage", usage_prices=prices[4], command_id="p1", **bought
    )
    use = {"org_id": org_id, "agent_id": mine, "meter": "page", "quantity": 10, "unit_minor": 4 * CREDIT,
           "price_minor": 40 * CREDIT, "creator_minor": 40 * CREDIT}  # fmt: skip
    for number, (at, refunded) in enumerate(((NOON, None), (MARCH.until, None), (NOON, NOON))):
        taken = {} if refunded is None else {"taken_minor": 40 * CREDIT, "refunded_at": refunded}
        await rows.add("marketplace_uses", id=f"use_{number}", used_at=at, **use, **taken)
    found = await advised(database, org_id)
    (one,) = found.values()
    assert (one.id, one.amount_minor) == (f"cheaper_agent-{mine}", 20 * CREDIT)
    assert one.figures["other_agent_id"] == cheap


async def test_unused_monthly_payments_are_found(database: Database, rows: Rows) -> None:
    org_id, seller = await organization(rows), await organization(rows)
    for number, (used, since) in enumerate(((True, LONG_AGO), (False, LONG_AGO), (False, NOON))):
        agent_id = await agent(rows, seller, 0)
        for name, renewed in ((f"{number}_before", True), (str(number), False)):
            await rows.add("marketplace_purchases", id=f"pur_{name}", org_id=org_id, agent_id=agent_id, model="monthly",
                           status="active", price_minor=900, currency="USD", creator_minor=900, command_id=f"p{name}",
                           payment_id=f"pay_{name}", transfer_id=UUID(int=1), bought_at=since, anchor_at=since,
                           period=1, ends_at=NOW, renews_at=None if renewed else NOW, renewed=renewed)  # fmt: skip
        if used:
            await rows.add("usage_days", org_id=org_id, dimension="agent_id", value=agent_id, day=DAY, events=1)
    order = {"org_id": org_id, "status": "purchased", "term": "quarter", "renews_at": NOW, "amount_minor": 300,
             "currency": "EUR", "created_at": LONG_AGO}  # fmt: skip
    for number, agent_id in enumerate(("agt_busy", "agt_idle")):
        await rows.add(
            "purchase_orders", id=f"pco_{number}", item="Maps", agent_id=agent_id, command_id=f"o{number}", **order
        )
    await rows.add("spend_days", org_id=org_id, day=DAY, action="search", agent_id="agt_busy", captured=1)

    async def unused() -> dict[str, tuple[int, str]]:
        found = await advised(database, org_id)
        return {each.id: (each.amount_minor, each.currency) for each in found.values()}

    # Who reports no usage at all says nothing of any agent.
    assert await unused() == {"unused-pco_1": (100, "EUR")}
    await rows.add("usage_days", org_id=org_id, dimension="all", day=DAY, value="", currency="USD", events=1)
    assert await unused() == {"unused-pur_1": (900, "USD"), "unused-pco_1": (100, "EUR")}


async def test_external_purchases_are_read_with_their_alternatives(database: Database, rows: Rows) -> None:
    org_id, agent_id = await organization(rows), new_id("agt")
    await rows.add("agents", id=agent_id, org_id=org_id, name="Ada", visibility="private", pricing_model="free",
                   command_id=agent_id, created_at=LONG_AGO)  # fmt: skip
    crypto = json.dumps({"primary": None, "fallbacks": [], "reasoning": None, "wallet_creation": "never"})
    for scope, subject in (("organization", org_id), ("agent", agent_id), ("agent", "agt_other")):
        await rows.add("payment_policies", id=new_id("pol"), org_id=org_id, scope=scope, subject_id=subject,
                       currency="EUR" if subject == agent_id else "USD", free_first="ask", methods=["card", "TON"],
                       crypto=crypto, answer_within_seconds=3_600)  # fmt: skip
    order = {"org_id": org_id, "agent_id": agent_id, "item": "Maps", "vendor": "Here", "category": "Research",
             "currency": "USD", "status": "purchased", "created_at": LONG_AGO}  # fmt: skip
    unfit = [{"name": "Open  MAPS", "fits": False}, {"name": "Other", "fits": True}]
    # What was charged beyond an order is a part of it, renewals are not, and with a refund no fee is known.
    paid = (("por_1", None, 0, 900, 0), ("por_1", None, 1, 200, 0), ("por_2", "month", 3, 500, 0),
            ("por_3", None, 0, 800, 300), ("por_4", None, 0, 100, 100))  # fmt: skip
    for order_id, (term, refunded) in {name: (term, back) for name, term, _, _, back in paid}.items():
        await rows.add("purchase_orders", **order, id=order_id, command_id=order_id, amount_minor=500, term=term,
                       alternatives=json.dumps(unfit), spent_minor=900, refunded_minor=refunded)  # fmt: skip
        for number, status in ((1, "declined"), (2, "succeeded")):
            await rows.add("purchase_attempts", order_id=order_id, number=number, org_id=org_id, method="card",
                           status=status, charged_minor=1 if number == 2 else None, fee_minor=number - 1,
                           command_id=f"{order_id}{number}")  # fmt: skip
    for order_id, _, number, spent, refunded in paid:
        for place, at in enumerate((NOON, MARCH.until, MARCH.since - timedelta(microseconds=1))):
            await rows.add("ledger.purchase_counts", order_id=order_id, number=number + 10 * place, org_id=org_id,
                           asset="USD", amount=spent, spent=spent, refunded=refunded, at=at, pool="operating",
                           id=UUID(int=first_id(at).int + spent))  # fmt: skip
    async with database.tenant(org_id) as session:
        found = {each.order_id: each for each in await purchases.external_purchases(session, org_id, MARCH)}
        (price,) = await purchases.term_prices(session, org_id, replace(MARCH, since=LONG_AGO))
        assert await purchases.term_prices(session, org_id, MARCH) == []
    assert {each: (row.paid_minor, row.renewed, row.fee_minor) for each, row in found.items()} == {
        "por_1": (1_100, 0, 1), "por_2": (500, 3, None), "por_3": (500, 0, None)}  # fmt: skip
    assert (found["por_1"].agent_name, found["por_1"].policy.currency) == ("Ada", "EUR")
    assert found["por_1"].unfit == {"open maps"}
    assert (price.term.value, price.amount_minor) == ("month", 500)


async def test_free_options_and_own_offers_are_read_with_use_and_value(database: Database, rows: Rows) -> None:
    org_id = await organization(rows)
    agent_id = await agent(rows, org_id, 0, model="usage", usage_prices=json.dumps({"Request": 2 * CREDIT}))
    # A page is a part of what is bought, not another whole.
    await agent(rows, org_id, 0, model="usage", usage_prices=json.dumps({"page": 1}))
    await agent(rows, org_id, 0, model="usage", usage_prices=json.dumps({"request": 1, "call": 1}))
    await agent(rows, org_id, 0, category="art", model="usage", usage_prices=json.dumps({"request": 1}))
    await rows.add("ledger.rates", base="CREDIT", quote="USD", starts_at=LONG_AGO, base_minor=CREDIT, quote_minor=10,
                   source="test")  # fmt: skip
    await rows.add("free_options", id="fro_1", org_id=org_id, name="Open maps", category="research", quota=5,
                   quota_window="day")  # fmt: skip
    entry = {"org_id": org_id, "agent_id": agent_id, "alternative_action": "open MAPS", "status": "abandoned"}
    for number, (kind, at) in enumerate((("abandoned", NOON), ("refund", NOON), ("abandoned", NOON + timedelta(1)))):
        await rows.add("purchase_entries", **entry, order_id="por_1", transaction_type=f"purchase_{kind}", at=at,
                       id=UUID(int=first_id(at).int + number))  # fmt: skip
    bought = {"order_id": "por_1", "org_id": org_id, "number": 0, "asset": "USD", "at": NOON, "pool": "operating"}
    await rows.add("purchase_orders", id="por_1", org_id=org_id, agent_id=agent_id, item="Maps", vendor="Here",
                   category="Research", currency="USD", command_id="por_1", alternatives="[]",
                   amount_minor=100)  # fmt: skip
    await rows.add("ledger.purchase_counts", **bought, amount=100, spent=100, id=first_id(NOON))
    async with database.tenant(org_id) as session:
        (free,) = await purchases.free_options(session, org_id, MARCH)
    days = [NOON.replace(hour=0) + timedelta(days=number) for number in range(2)]
    assert free.used == dict.fromkeys(days, 1)
    found = await advised(database, org_id)
    assert [each for each in found if each.startswith("arbitrage")] == [f"arbitrage-buy_{agent_id}_USD"]
    assert found[f"arbitrage-buy_{agent_id}_USD"].amount_minor == 100 - 20
    assert found["free_tier-fro_1_USD"].amount_minor == 100
    # Own credits cost what was paid for them: five cents each, and not the ten that they are sold for.
    await buy(database, org_id, "10", 50, at=LONG_AGO)
    assert (await advised(database, org_id))[f"arbitrage-buy_{agent_id}_USD"].amount_minor == 100 - 10
    # What an agent earned is what was paid for the credits, once.
    dear = await agent(rows, org_id, 0, model="usage", usage_prices=json.dumps({"request": 90 * CREDIT}))
    await rows.add("ledger.cost_days", org_id=org_id, day=DAY, line="creators/earnings", agent_id=dear, asset="USD",
                   came=7, went=0)  # fmt: skip
    await rows.change("SELECT ledger.open_account($1, 'CREDIT', $2, 'liability', 0, 1::smallint)",
                      f"agent/{dear}/earnings/CREDIT", org_id)  # fmt: skip
    await rows.change(
        "INSERT INTO ledger.earning_days (account_id, day, earned, paid_out) SELECT id, $1, $2, 0 FROM ledger.accounts"
        " WHERE path = $3", DAY, CREDIT, f"agent/{dear}/earnings/CREDIT",
    )  # fmt: skip
    assert (await advised(database, org_id))[f"arbitrage-sell_{dear}_USD"].figures["earned"] == "0.07"
    for reader, covered in ((org_id, True), (await organization(rows), False)):
        async with database.tenant(reader) as session:
            of_credits = await lot_price.for_credits(session, org_id, CREDIT, "USD", at=NOW)
            of_cost = await lot_price.for_cost(session, org_id, Decimal(5), "USD", at=NOW)
        assert [each is not None and each.is_covered for each in (of_credits, of_cost)] == [covered, covered]


async def test_randomised_models_and_revenue_sources_are_compared(database: Database, rows: Rows) -> None:
    drawn, chosen = await organization(rows), await organization(rows)
    await rows.change("SELECT open_usage_months($1, $2)", MARCH.since, NOON)
    for org_id, odds in ((drawn, 500_000), (chosen, 1_000_000)):
        for number in range(80):
            # The dearer model costs two cents a run, the other one a cent; both always succeed, which brings a cent.
            run, model = f"{org_id}-{number}", "big" if number % 2 else "small"
            await rows.add("results", id=new_id("res"), org_id=org_id, run_id=run, task_kind="a", score_e6=1_000_000,
                           is_accepted=True, source="api", reference=run, value_minor=1, currency="USD",
                           recorded_at=NOON)  # fmt: skip
            await rows.add("usage_events", org_id=org_id, occurred_at=NOON, run_id=run, model=model, currency="USD",
                           cost_pico=(1 + number % 2) * 10**10, estimated=[], usage=json.dumps({"output_tokens": 9}),
                           event_id=run, received_at=NOON)  # fmt: skip
            # What was chosen in a month can have its result in the next one.
            chosen_at = MARCH.since - timedelta(2)
            names = ["big", "small"] if odds < 1_000_000 else [model]
            ranking = json.dumps([{"name": name, "odds_e6": odds} for name in names])
            await rows.add("routing_decisions", id=new_id_at("rtd", chosen_at), org_id=org_id, run_id=run,
                           task_kind="a", choice=model, odds_e6=odds, ranking=ranking, decided_at=chosen_at,
                           command_id=run)  # fmt: skip
    # What one way brought counts without what was taken back; what is not confirmed does not.
    agent_id = await agent(rows, drawn, 0)
    revenue = {
        "org_id": drawn,
        "currency": "EUR",
        "occurred_at": NOON,
        "transfer_id": UUID(int=1),
        "confirmed_at": NOON,
    }
    for number in range(12):
        status = "reported" if number == 0 else "reversed" if number == 1 else "confirmed"
        await rows.add("revenue_events", **revenue, id=new_id("rev"), agent_id=agent_id, source="escrow", status=status,
                       reference=str(number), amount_minor=100, reversed_minor=40 if number == 1 else 0)  # fmt: skip
    # One currency in which something is spent has all of it, where there are rates.
    await spends(rows, drawn, NOON, CREDIT)
    for code, minor in (("EUR", 10), ("JPY", 1)):
        await rows.add("ledger.rates", base="CREDIT", quote=code, starts_at=LONG_AGO, base_minor=CREDIT,
                       quote_minor=minor, source="test")  # fmt: skip
    await rows.add("revenue_events", **revenue | {"currency": "JPY"}, id=new_id("rev"), agent_id=agent_id,
                   source="escrow", status="confirmed", reference="yen", amount_minor=4)  # fmt: skip
    found = await advised(database, drawn)
    assert found["model_swap-big"].amount_minor == 40
    assert found["model_swap-big"].figures["other_model"] == "small"
    assert found["diversify-CREDIT"].amount_minor == (106 + 4) * CREDIT
    assert found["diversify-CREDIT"].title == f"Most of your revenue comes from {agent_id} by escrow."
    assert set(await advised(database, chosen)) == set()
    # In the currency of what is spent, credits are what was paid for them.
    seller = await organization(rows)
    await rows.add("ledger.purchase_counts", order_id="por_1", number=0, org_id=seller, asset="EUR", amount=9, spent=9,
                   at=NOON, pool="operating", id=first_id(NOON))  # fmt: skip
    of_credits = revenue | {"org_id": seller, "currency": "CREDIT", "amount_minor": 9 * CREDIT, "status": "confirmed"}
    for number in range(10):
        await rows.add("revenue_events", **of_credits, id=new_id("rev"), agent_id=agent_id, source="escrow",
                       reference=str(number), money=json.dumps({"EUR": [3, 1, 0]}))  # fmt: skip
    assert (await advised(database, seller))["diversify-EUR"].amount_minor == 10 * 2


async def subscription(rows: Rows, org_id: str, **changes: Any) -> None:
    terms = Terms(plan="team", interval=Interval.MONTH, amount_minor=3_000, currency="USD")
    held = Subscription(
        subscription_id=f"sub_{org_id}",
        org_id=org_id,
        customer="cus_1",
        provider="stripe",
        terms=terms,
        status=SubscriptionStatus.ACTIVE,
        anchor=Anchor(at=LONG_AGO),
    )
    state = TypeAdapter(Subscription).dump_json(replace(held, **changes)).decode()
    known = {"id": held.subscription_id, "org_id": org_id, "provider": "stripe", "provider_ref": org_id}
    await rows.add("subscriptions", **known, status="active", plan="team", state=state)


async def test_plan_is_compared_with_a_year_and_with_none(database: Database, rows: Rows) -> None:
    ids = ("annual_plan-team", "unused-sub_{}")
    idle, busy, ending, new, agreed = [await organization(rows, tier="team") for _ in range(5)]
    await subscription(rows, idle)
    await subscription(rows, busy)
    await spends(rows, busy, NOON, 1)
    await subscription(rows, ending, cancel_at_period_end=True)
    await subscription(rows, new, anchor=Anchor(at=NOON))
    usual = Terms(plan="team", interval=Interval.MONTH, amount_minor=3_000, currency="USD", is_agreed=True)
    await subscription(rows, agreed, terms=usual)
    for org_id, expected in ((idle, ids), (busy, ids[:1]), (ending, ()), (new, ()), (agreed, ids[1:])):
        found = await advised(database, org_id)
        assert set(found) == {each.format(org_id) for each in expected}
    assert (await advised(database, idle))[ids[0]].amount_minor == 500
    for number in range(2):
        await rows.add("projects", id=f"prj_{number}", org_id=idle, slug=f"p{number}", command_id=f"p{number}")
    assert set(await advised(database, idle)) == {ids[0]}


async def test_slots_that_were_bought_and_are_all_free_are_found(database: Database, rows: Rows) -> None:
    org_id = await organization(rows)
    paid = await Written(
        database, org_id, purpose=replace(SOLD, kind=PurposeKind.SLOT, goods_asset="SLOT", goods_minor=2)
    ).begin()
    paid.there.pay()
    await paid.look()
    (one,) = (await advised(database, org_id)).values()
    assert (one.subject, one.amount_minor, one.how[1]) == (
        paid.terms.payment_id,
        1_000,
        "2 bought last month, 2 free now.",
    )


async def test_payments_and_spending_match_the_metrics(database: Database, rows: Rows) -> None:
    org_id = await organization(rows)
    for day in (NOON, MARCH.until):
        await rows.count_payments(org_id, day, "stripe", succeeded=5, failed=5)
        await rows.count_payments(org_id, day, "paypal", succeeded=9, failed=1)
    await rows.count_payments(await organization(rows), NOON, "stripe", succeeded=0, failed=50)
    await spends(rows, org_id, NOON, 9, 2)
    await spends(rows, org_id, MARCH.until + timedelta(hours=2), 9)
    await rows.add("ledger.purchase_counts", order_id="pco_1", org_id=org_id, asset="EUR", amount=9, spent=9,
                   refunded=4, at=NOON, pool="operating")  # fmt: skip
    async with database.tenant(org_id) as session:
        found = await advice.advise(session, org_id, PRICES, now=NOW)
    assert found.spending == {"CREDIT": 7, "EUR": 5}
    assert {each.id: each.amount_minor for each in found.insights} == {"payment_method-stripe_card_USD": 400}


async def test_dismissed_advice_stays_away_for_90_days_for_its_organization_alone(
    database: Database, rows: Rows
) -> None:
    orgs = [await organization(rows) for _ in range(2)]
    for org_id in orgs:
        await rows.count_payments(org_id, NOON, "stripe", succeeded=5, failed=5)
        await rows.count_payments(org_id, NOON, "paypal", succeeded=10, failed=0)
    one = "payment_method-stripe_card_USD"
    actor = Actor(principal="owner", role=Role.OWNER, org_id=orgs[0])

    async def dismiss(insight_id: str, now: datetime) -> None:
        async with database.tenant(orgs[0]) as session:
            found = advice.find_advice(await advice.advise(session, orgs[0], PRICES, now=now), insight_id)
            await advice.dismiss(session, actor, orgs[0], found, now=now)

    await dismiss(one, NOW - timedelta(days=1))
    assert [set(await advised(database, org_id)) for org_id in orgs] == [set(), {one}]
    for missing in ("payment_method-paypal_card_USD", "x", f"{one}x"):
        with pytest.raises(NotFound):
            await dismiss(missing, NOW)
    # It counts from the last time, and comes back by itself.
    await rows.change("UPDATE insight_dismissals SET dismissed_at = $1", NOW - timedelta(days=90))
    assert set(await advised(database, orgs[0])) == {one}
    await dismiss(one, NOW)
    assert not await advised(database, orgs[0])


# Comparison ----------------------------------------------------------------------------------------------------------


async def member(rows: Rows, used: int | None = None, *, at: date = DAY, **values: Any) -> str:
    org_id = await organization(rows, **{"peers_agreed_at": LONG_AGO, **values})
    await rows.count_payments(org_id, NOON, "stripe", succeeded=1, failed=0)
    if used is not None:
        await rows.add("ledger.credit_days", org_id=org_id, day=at, used=used)
    return org_id


async def ask(
    database: Database,
    org_id: str,
    metric: PeerMetric = PeerMetric.SPENDING,
    now: datetime = NOW,
    agent_id: str | None = None,
) -> int | PeerReason | None:
    async with database.tenant(org_id) as session:
        asked = await peers.peer_query(session, org_id, metric, agent_id=agent_id, now=now)
    if asked.reason is not None:
        return asked.reason
    async with database.platform() as session:
        await peers.compute(session, asked, ["x"])
    async with database.tenant(org_id) as session:
        found = await peers.peer_result(session, asked)
    return found.quarter or found.reason


async def agree(database: Database, org_id: str, at: datetime, *, agrees: bool = True) -> datetime | None:
    actor = Actor(principal="owner", role=Role.OWNER, org_id=org_id)
    async with database.platform() as session:
        return await peers.set_consent(session, actor, org_id, agrees=agrees, now=at)


async def test_queries_before_and_after_a_member_joins_or_leaves_reveal_nothing(database: Database, rows: Rows) -> None:
    asking = await member(rows, 100)
    known = [await member(rows, 100 + number) for number in range(7)]
    victim = await member(rows, 1, peers_agreed_at=None)

    async def all_answers(now: datetime) -> list[int | PeerReason | None]:
        return [await ask(database, org_id, now=now) for org_id in [asking, *known]]

    before = await all_answers(NOW)
    assert set(before) == {1, 2, 3, 4}
    # It joins, also with an earlier time than it can have: the month was computed, and stays as it is.
    await agree(database, victim, NOW)
    assert await ask(database, victim) is PeerReason.NOT_AGREED
    await rows.change("UPDATE organizations SET peers_agreed_at = $1 WHERE id = $2", LONG_AGO, victim)
    assert (await all_answers(NOW), await ask(database, victim)) == (before, PeerReason.NOT_COUNTED)
    # One leaves: nobody else's answer changes, and its own is gone at once.
    await agree(database, known[0], NOW, agrees=False)
    assert await all_answers(NOW) == [before[0], PeerReason.NOT_AGREED, *before[2:]]
    # The next month has it, if its figure is as before in one step at most for anybody.
    for number, org_id in enumerate([asking, *known[1:], victim]):
        await rows.add("ledger.credit_days", org_id=org_id, day=DAY + timedelta(days=31), used=100 + number)
    later = NOW + timedelta(days=30)
    assert await ask(database, asking, now=later) == 1
    assert all(abs(new - old) <= 1 for new, old in zip((await all_answers(later))[2:], before[2:], strict=True))  # type: ignore[operator]


async def test_month_is_compared_a_day_after_it_is_over(database: Database, rows: Rows) -> None:
    february = date(2026, 2, 10)
    orgs = [await member(rows, 100 + number, at=february) for number in range(8)]
    for org_id in orgs:
        await rows.count_payments(org_id, NOON - timedelta(days=28), "stripe", succeeded=1, failed=0)
    assert await ask(database, orgs[0], now=MARCH.until + timedelta(hours=23)) == 1
    assert await ask(database, orgs[0], now=MARCH.until + timedelta(days=1)) is PeerReason.NOT_COUNTED


async def test_organizations_of_one_owner_form_no_group(database: Database, rows: Rows) -> None:
    victim = await member(rows, 100)
    young = [await member(rows, 100, created_at=MARCH.since - timedelta(days=89)) for _ in range(8)]
    unpaid = [await member(rows, 100) for _ in range(8)]
    for org_id in unpaid:
        await rows.add("metric_sums", org_id=org_id, measure="payments.refunded", seconds=86_400,
                       starts_at=MARCH.since, asset="USD", value=100)  # fmt: skip
    by_one = [await member(rows, 100, created_by="one") for _ in range(8)]
    by_card = [await member(rows, 100) for _ in range(8)]
    for org_id in by_card:
        await rows.add("organization_traits", org_id=org_id, kind="card", digest="d")
    assert await ask(database, victim) is PeerReason.TOO_FEW
    for org_id in (young[0], unpaid[0]):
        assert await ask(database, org_id) is PeerReason.NOT_COUNTED
    for org_id in (by_one[0], by_card[0]):
        assert await ask(database, org_id) is PeerReason.TOO_FEW


async def test_organization_figures_cover_the_month(database: Database, rows: Rows) -> None:
    org_id = await member(rows, 70)
    await rows.count_payments(org_id, NOON, "paypal", succeeded=3, failed=1)
    await rows.count_payments(org_id, MARCH.until, "paypal", succeeded=3, failed=1)
    await rows.add("usage_days", org_id=org_id, dimension="all", day=DAY, value="", currency="USD", cost_pico=500,
                   input_tokens=1_500, output_tokens=500)  # fmt: skip
    expected = {PeerMetric.SPENDING: (70, 70), PeerMetric.PAYMENT_SUCCESS_RATE: ("4/5", 5),
                PeerMetric.COST_PER_1000_TOKENS: (250, 2_000)}  # fmt: skip
    await same_figures(database, expected, "free", org_id)


async def test_agent_figures_cover_the_month(database: Database, rows: Rows) -> None:
    seller = await member(rows)
    agent_id = await agent(rows, seller, 0)
    for number in range(5):
        org_id = f"org_{number % 3}"
        await rows.add("marketplace_uses", id=new_id_at("use", NOON), org_id=org_id, agent_id=agent_id, quantity=2,
                       unit_minor=30, price_minor=60, creator_minor=60, used_at=NOON)  # fmt: skip
        await rows.add("reputation_events", id=f"rev_{number}", agent_id=agent_id, counterparty_org_id=org_id, day=DAY,
                       kind="split" if number == 0 else "released", is_end=True, key=f"k{number}")  # fmt: skip
    await same_figures(
        database, {PeerMetric.PRICE_PER_USE: (60, 300), PeerMetric.DISPUTE_RATE: ("1/5", 5)}, "research", agent_id
    )
    assert await ask(database, seller, PeerMetric.PRICE_PER_USE, agent_id=agent_id) is PeerReason.TOO_FEW
    with pytest.raises(Invalid):
        await ask(database, seller, PeerMetric.PRICE_PER_USE)
    with pytest.raises(NotFound):
        await ask(database, await member(rows), PeerMetric.PRICE_PER_USE, agent_id=agent_id)


async def same_figures(database: Database, expected: dict[PeerMetric, Any], category: str, member_id: str) -> None:
    for metric, (value, weight) in expected.items():
        async with database.platform() as session:
            (found,) = await figures.members(session, metric, category, MARCH)
        assert (found.member_id, found.value, found.weight) == (member_id, Fraction(value), weight), metric


def new_id_at(prefix: str, at: datetime) -> str:
    return make_id(prefix, unix_ms=int(at.timestamp() * 1000), entropy=os.urandom(10))


@pytest.mark.slow
async def test_purchases_of_a_month_are_read_without_those_before(
    database: Database, fresh_database_urls: DatabaseUrls
) -> None:
    owner = await asyncpg.connect(fresh_database_urls.owner)
    await owner.execute("SET session_replication_role = replica")
    costs = []
    for first, last in ((0, 90), (90, 900)):
        # Ten orders a day before the month is over, each with an alternative that was used instead of another one.
        await owner.execute(FILL, "org_many", MARCH.until - timedelta(days=1), first * 10, last * 10 - 1)
        await vacuum(owner, "purchase_orders", "ledger.purchase_counts", "purchase_entries", "free_options")
        costs.append(await rows_read(database, "org_many", read_outside))
    await owner.close()
    assert costs[1] <= costs[0] + 50, costs


FILL = """
    WITH days AS (SELECT n, $2::timestamptz - n / 10 * interval '1 day' AS at FROM generate_series($3::int, $4::int) n),
    orders AS (
        INSERT INTO purchase_orders (id, org_id, agent_id, principal, command_id, item, vendor, category, why,
            amount_minor, currency, alternatives, pool, on_limit, status, decision, methods, budget_remaining, persons,
            counts, spent_minor, refunded_minor, created_at, updated_at)
        SELECT 'por_' || n, $1, 'a', 'a', 'c' || n, 'Maps', 'Here', 'data', '', 1, 'USD', '[]', 'operating', 'refuse',
            'purchased', '{}', '[]', '{}', 0, 0, 1, 0, at, at FROM days
    ), entries AS (
        INSERT INTO purchase_entries (org_id, id, order_id, agent_id, transaction_type, item, amount_minor, currency,
            status, alternative_action, budget_remaining, at)
        SELECT $1, uuidv7(at - clock_timestamp()), 'por_' || n, 'a', 'purchase_abandoned', 'Maps', 1, 'USD',
            'abandoned', 'Open maps', '{}', at FROM days
    ), options AS (
        INSERT INTO free_options (id, org_id, name, category, quota, quota_window, updated_by)
        VALUES ('fro_1', $1, 'Open maps', 'data', 9, 'day', 'x') ON CONFLICT DO NOTHING
    )
    INSERT INTO ledger.purchase_counts (order_id, number, org_id, id, asset, amount, spent, returned, refunded, forced,
        pool, counted_in, counted, at, changed_at)
    SELECT 'por_' || n, 0, $1, uuidv7(at - clock_timestamp()), 'USD', 1, 1, 0, 0, false, 'operating', '{}', '{}', at, at
    FROM days
"""


async def read_outside(session: AsyncSession) -> None:
    assert len(await purchases.external_purchases(session, "org_many", MARCH)) == 310
    (free,) = await purchases.free_options(session, "org_many", MARCH)
    assert sum(free.used.values()) == 38 * 10
