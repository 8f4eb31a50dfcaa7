"""Subscriptions over HTTP without a workflow: requests that are refused before it is signalled."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx2
import pytest
from sqlalchemy import text

from domain.billing.plan import Interval, plans_from
from domain.billing.subscription.commands import PRICE_CHANGED, order_change, order_resume, preview
from domain.billing.subscription.converge import converge
from domain.billing.subscription.orders import decline_order
from domain.billing.subscription.state import Recurring, Terms, Transition, numbered
from domain.billing.subscription.terms import terms_of
from domain.common.ids import command_id
from domain.common.period import Anchor, Period
from repositories.billing import subscription as subscriptions
from runtime.database import Database
from runtime.identity import new_id
from services.billing.subscription import write
from tests.api.conftest import Caller, NewTenant, Tenant, good, new_key, refused
from tests.api.paying import intents, paying_app
from tests.conftest import DatabaseUrls
from tests.domain.subscription.building import PLANS, START, active, bill, seen, terms
from tests.support.connections import as_owner

pytestmark = pytest.mark.db


@pytest.fixture
async def paying(database_urls: Any) -> AsyncIterator[httpx2.AsyncClient]:
    async with paying_app(database_urls) as client:
        yield client


@pytest.fixture
async def tenant(new_tenant: NewTenant) -> Tenant:
    return await new_tenant("owner", "auditor", "agent")


TEAM = {"name": "team", "projects": 9, "deploys": 9, "seats": 20, "per_seat": True, "credits": "200"}
LARGE = {"name": "premium", "projects": 5, "deploys": 5, "seats": 30}
TEXT = json.dumps(
    [
        {"name": "free", "projects": 1, "deploys": 1, "seats": 1},
        {**TEAM, "prices": [{"interval": "month", "amount": "10.00", "currency": "USD"}]},
        {**LARGE, "prices": [{"interval": "month", "amount": "90.00", "currency": "USD"}]},
    ]
)
TEAM_PLANS = plans_from(TEXT)
TEAM_OF_FIVE = terms_of(TEAM_PLANS.get("team"), Interval.MONTH, "USD", seats=5)


@pytest.fixture
async def teams(database_urls: Any) -> AsyncIterator[httpx2.AsyncClient]:
    """An app whose middle plan is sold by the seat, and that gives out no more seats than were bought."""
    async with paying_app(database_urls, plans=TEXT, limit_seats=True) as client:
        yield client


async def on(
    database: Database,
    org_id: str,
    plan: str | Terms = "starter",
    *,
    at: datetime | None = None,
    recurring: Recurring | None = None,
) -> str:
    """Subscribe the organization as its run writes it, long ago or at a given time."""
    held, book = (active(plan), PLANS) if isinstance(plan, str) else (replace(active(), terms=plan), TEAM_PLANS)
    held = replace(held, recurring=recurring)
    if at is not None:
        period = Period(start=at, end=Anchor(at=at).after(1))
        held = replace(held, anchor=Anchor(at=at), period=period, paid_through=period.end, granted_until=period.end)
    held = replace(held, org_id=org_id, subscription_id=new_id("sub"), ref=None, version=0, receipts=())
    outcome = numbered(Transition(subscription=held, event="activated", actor="kim"), new_id("cmd"))
    async with database.platform() as session:
        await write(session, None, outcome, command_id=new_id("cmd"), actor=None, at=START, plans=book)
    return held.subscription_id


async def test_subscription_is_shown_and_its_organization_is_on_its_plan(tenant: Tenant, database: Database) -> None:
    refused(await tenant.auditor.get("/billing/subscription"), 404, "not_found")
    made = await on(database, tenant.org_id)
    shown = good(await tenant.auditor.get("/billing/subscription"))
    price = {"amount": "29.00", "currency": "USD"}
    assert shown["next_charge"] == {"at": shown["period_end"], "price": price}
    assert (shown["id"], shown["plan"], shown["status"], shown["price"]["amount"]) == (
        made,
        "starter",
        "active",
        "29.00",
    )
    async with database.platform() as session:
        query = text("SELECT tier FROM organizations WHERE id = :id")
        assert await session.scalar(query, {"id": tenant.org_id}) == "starter"


async def test_second_subscription_is_refused(tenant: Tenant, database: Database, paying: httpx2.AsyncClient) -> None:
    await on(database, tenant.org_id)
    owner = Caller(paying, tenant.owner.token)
    answer = await owner.post("/billing/subscribe", {"plan": "premium"}, key=new_key())
    assert refused(answer, 409, "subscription.exists")["plan"] == "starter"


async def test_plan_that_is_not_sold_is_refused(tenant: Tenant, paying: httpx2.AsyncClient) -> None:
    owner = Caller(paying, tenant.owner.token)
    for plan in ("free", "gold"):
        answer = await owner.post("/billing/subscription", {"plan": plan}, key=new_key())
        assert refused(answer, 422, "request.invalid")["field"] == "plan"


async def test_plan_that_costs_more_than_was_seen_is_not_subscribed_to(
    tenant: Tenant, paying: httpx2.AsyncClient
) -> None:
    owner = Caller(paying, tenant.owner.token)
    # What costs no more is asked of Stripe, which is not set up here.
    for most, status, code in (("28.99", 409, PRICE_CHANGED), ("29.00", 404, "not_found")):
        asked = {"plan": "starter", "max_amount": most}
        refused(await owner.post("/billing/subscription", asked, key=new_key()), status, code)


async def test_subscribing_without_a_plan_is_to_premium(tenant: Tenant, paying: httpx2.AsyncClient) -> None:
    owner = Caller(paying, tenant.owner.token)
    # Premium costs 5.00 a month. What costs no more is asked of Stripe, which is not set up here.
    for most, status, code in (("4.99", 409, PRICE_CHANGED), ("5.00", 404, "not_found")):
        for path in ("/billing/subscribe", "/billing/subscription"):
            refused(await owner.post(path, {"max_amount": most}, key=new_key()), status, code)
    refused(await owner.post("/billing/subscription", key=new_key()), 404, "not_found")


async def test_page_needs_a_way_back_and_a_trial_a_plan_that_has_one(
    tenant: Tenant, paying: httpx2.AsyncClient
) -> None:
    owner = Caller(paying, tenant.owner.token)
    for wrong, field in (
        ({"checkout": True}, "return_url"),
        ({"trial": True}, "trial"),
        ({"trial": True, "checkout": True, "return_url": "https://example.com"}, "trial"),
    ):
        answer = await owner.post("/billing/subscribe", {"plan": "starter", **wrong}, key=new_key())
        assert refused(answer, 422, "request.invalid")["field"] == field


@pytest.mark.parametrize(
    ("why", "status", "code"),
    [("card_declined", 402, "payment.declined"), (PRICE_CHANGED, 409, PRICE_CHANGED)],
)
async def test_declined_change_is_answered_again_from_the_timeline(
    new_tenant: NewTenant, database: Database, paying: httpx2.AsyncClient, why: str, status: int, code: str
) -> None:
    tenant = await new_tenant("owner")
    made, key = await on(database, tenant.org_id), new_key()
    async with database.platform() as session:
        query = text("SELECT principal FROM api_keys WHERE org_id = :id AND role = 'owner'")
        ordered = command_id(tenant.org_id, str(await session.scalar(query, {"id": tenant.org_id})), key)
        held = await subscriptions.get(session, made)
        assert held is not None
        shown = preview(held, PLANS, terms("professional"), 1, START)
        pending = order_change(held, shown, ordered, actor="kim")
        for outcome, by in (
            (pending, ordered),
            (decline_order(pending.subscription, why=why, at=START), "run:3"),
        ):
            before = await subscriptions.lock(session, made)
            assert before is not None
            after = replace(outcome, subscription=replace(outcome.subscription, version=before.version))
            await write(session, before, numbered(after, by), command_id=by, actor=None, at=START, plans=PLANS)
    owner = Caller(paying, tenant.owner.token)
    again = await owner.ask("PUT", "/billing/subscription", json={"plan": "professional"}, key=key)
    assert refused(again, status, code).get("decline_code") == ("card_declined" if status == 402 else None)


@pytest.mark.parametrize("act", ["change", "resume"])
async def test_pending_order_is_answered_again_although_its_organization_is_suspended(
    new_tenant: NewTenant, database: Database, operator: Caller, paying: httpx2.AsyncClient, act: str
) -> None:
    tenant = await new_tenant("owner")
    made, key = await on(database, tenant.org_id), new_key()
    async with database.platform() as session:
        query = text("SELECT principal FROM api_keys WHERE org_id = :id AND role = 'owner'")
        ordered = command_id(tenant.org_id, str(await session.scalar(query, {"id": tenant.org_id})), key)
        before = await subscriptions.lock(session, made)
        assert before is not None
        pending = order_change(before, preview(before, PLANS, terms("professional"), 1, START), ordered, actor="kim")
        if act == "resume":
            pending = order_resume(replace(before, cancel_at_period_end=True), ordered, actor="kim", at=START)
        await write(session, before, numbered(pending, ordered), command_id=ordered, actor=None, at=START, plans=PLANS)
    good(await operator.post(f"/organizations/{tenant.org_id}/suspend", {"reason": "Under investigation."}))
    ask = Caller(paying, tenant.owner.token).ask
    path, body = ("", {"plan": "professional"}) if act == "change" else ("/resume", None)
    verb = "PUT" if act == "change" else "POST"
    # No run answers here, so it is known that one was asked.
    refused(await ask(verb, f"/billing/subscription{path}", json=body, key=key), 503, "service.unavailable")
    refused(await ask(verb, f"/billing/subscription{path}", json=body, key=new_key()), 403, "organization.suspended")


async def test_organization_sees_its_agreed_price(tenant: Tenant, operator: Caller, database: Database) -> None:
    await on(database, tenant.org_id, at=datetime.now(UTC) - timedelta(days=1))
    path = "/billing/subscription/preview?plan=enterprise"
    listed = good(await tenant.owner.get(path))
    assert (listed["price"]["amount"], listed["is_agreed_price"]) == ("299.00", False)
    body = {"mode": "prepaid", "plan_prices": [{"plan": "enterprise", "amount": "199.00", "price_id": "price_acme"}]}
    terms = good(await operator.ask("PUT", f"/organizations/{tenant.org_id}/billing-terms", json=body))
    assert [each["amount"] for each in terms["plan_prices"]] == ["199.00"]
    shown = good(await tenant.owner.get(path))
    assert (shown["price"]["amount"], shown["is_agreed_price"], shown["kind"]) == ("199.00", True, "upgrade")
    assert Decimal(shown["due"]["amount"]) < Decimal(listed["due"]["amount"])


async def test_net_terms_leave_pages_and_trials_out_and_are_shown(
    tenant: Tenant, operator: Caller, paying: httpx2.AsyncClient, database: Database
) -> None:
    body = {"mode": "prepaid", "net_days": 30, "collection_method": "send_invoice"}
    good(await operator.ask("PUT", f"/organizations/{tenant.org_id}/billing-terms", json=body))
    owner = Caller(paying, tenant.owner.token)
    for wrong in ("checkout", "trial"):
        answer = await owner.post("/billing/subscribe", {"plan": "starter", wrong: True}, key=new_key())
        assert refused(answer, 422, "request.invalid")["field"] == wrong
    other = await owner.post("/billing/subscribe", {"plan": "starter", "currency": "EUR"}, key=new_key())
    assert refused(other, 422, "request.invalid")["field"] == "currency"
    alone = await owner.post("/billing/subscribe", {"plan": "starter"}, key=new_key())
    refused(alone, 409, "subscription.contact_missing")
    await on(database, tenant.org_id, at=datetime.now(UTC) - timedelta(days=1))
    assert good(await owner.get("/billing/subscription"))["net_days"] == 0


async def test_a_plan_that_one_has_or_with_too_few_seats_is_refused(new_tenant: NewTenant, database: Database) -> None:
    crowded = await new_tenant("owner", "admin", "finance", "member", "auditor", "agent")
    await on(database, crowded.org_id, "professional", at=datetime.now(UTC) - timedelta(days=1))
    path = "/billing/subscription/preview?plan="
    refused(await crowded.owner.get(f"{path}professional"), 409, "subscription.same_plan")
    told = refused(await crowded.owner.get(f"{path}starter"), 409, "subscription.seats_in_use")
    assert (told["used"], told["limit"]) == (5, 3)


async def test_seats_are_previewed_and_never_fewer_than_people_have_keys(
    new_tenant: NewTenant, teams: httpx2.AsyncClient, database: Database
) -> None:
    crowded = await new_tenant("owner", "admin", "finance", "agent")
    owner = Caller(teams, crowded.owner.token)
    await on(database, crowded.org_id, TEAM_OF_FIVE, at=datetime.now(UTC) - timedelta(days=1))
    shown = good(await owner.get("/billing/subscription"))
    assert (shown["seats"], shown["price"]["amount"], shown["credits_per_month"]) == (5, "50.00", "1000.00")
    standing = {each["entitlement"]: each for each in good(await owner.get("/billing/entitlements"))["data"]}
    assert (standing["seats"]["limit"], standing["seats"]["used"]) == (5, 3)
    path = "/billing/subscription/preview?plan=team"
    more = good(await owner.get(f"{path}&seats=9"))
    assert (more["kind"], more["seats"], more["price"]["amount"]) == ("upgrade", 9, "90.00")
    assert Decimal("36") < Decimal(more["due"]["amount"]) < Decimal("40")
    fewer = good(await owner.get(f"{path}&seats=3"))
    assert (fewer["kind"], fewer["due"]["amount"]) == ("downgrade", "0.00")
    told = refused(await owner.get(f"{path}&seats=2"), 409, "subscription.seats_in_use")
    assert (told["used"], told["limit"]) == (3, 2)
    refused(await owner.get(path), 409, "subscription.same_plan")
    for wrong in ("plan=team&seats=21", "plan=premium&seats=4"):
        answer = await owner.get(f"/billing/subscription/preview?{wrong}")
        assert refused(answer, 422, "request.invalid")["field"] == "seats"
    listed = {each["id"]: each for each in good(await owner.get("/billing/plans"))["data"]}
    assert [(name, listed[name]["per_seat"]) for name in ("team", "premium")] == [("team", True), ("premium", False)]


async def test_change_of_seats_keeps_its_price_and_does_not_look_it_up(
    new_tenant: NewTenant, teams: httpx2.AsyncClient, database: Database
) -> None:
    owner = Caller(teams, (tenant := await new_tenant("owner")).owner.token)
    held = replace(TEAM_OF_FIVE, price_id="price_archived")
    await on(database, tenant.org_id, held, at=datetime.now(UTC) - timedelta(days=1))
    answer = await owner.ask("PUT", "/billing/subscription", json={"plan": "team", "seats": 9}, key=new_key())
    refused(answer, 503, "service.unavailable")  # by its run, which never answers here
    answer = await owner.ask("PUT", "/billing/subscription", json={"plan": "premium"}, key=new_key())
    refused(answer, 404, "not_found")  # Stripe is not set up here


async def test_subscribing_by_the_seat_takes_as_many_as_people_have_keys(
    new_tenant: NewTenant, teams: httpx2.AsyncClient
) -> None:
    owner = Caller(teams, (await new_tenant("owner", "admin")).owner.token)
    for seats in ({}, {"seats": 0}, {"seats": 21}):
        answer = await owner.post("/billing/subscription", {"plan": "team", **seats}, key=new_key())
        refused(answer, 422, "request.invalid")
    answer = await owner.post("/billing/subscription", {"plan": "team", "seats": 1}, key=new_key())
    assert refused(answer, 409, "subscription.seats_in_use")["used"] == 2


async def test_person_beyond_the_seats_that_were_bought_gets_no_key(
    new_tenant: NewTenant, teams: httpx2.AsyncClient, database: Database
) -> None:
    owner = Caller(teams, (tenant := await new_tenant("owner", "admin")).owner.token)
    await on(database, tenant.org_id, TEAM_OF_FIVE.with_seats(3))
    good(await owner.post("/api-keys", {"principal": "kim", "role": "member"}, key=new_key()), 201)
    person = {"principal": "lee", "role": "member"}
    refusal = refused(await owner.post("/api-keys", person, key=new_key()), 403, "entitlement.missing")
    assert (refusal["limit"], refusal["used"], refusal["ways_up"][0]) == (3, 3, {"way": "seat"})


async def test_preview_of_a_subscription_whose_period_is_over_is_refused(tenant: Tenant, database: Database) -> None:
    await on(database, tenant.org_id)
    path = "/billing/subscription/preview?plan=professional"
    refused(await tenant.owner.get(path), 409, "subscription.wrong_state")
    refused(await tenant.owner.get("/billing/subscription/preview?plan=gold"), 422, "request.invalid")


async def test_period_that_the_provider_was_paid_for_is_not_paid_again_before_its_payment_is_booked(
    tenant: Tenant, database: Database, database_urls: DatabaseUrls, paying: httpx2.AsyncClient
) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    made = await on(database, tenant.org_id, terms("starter"), at=now)
    async with database.platform() as session:
        before = await subscriptions.lock(session, made)
        assert before is not None
        own = replace(bill(0, 2_900, before.period), ref=made, payment_ref=f"pi_{made}")
        outcome = converge(before, seen(own, period=before.period, ref=f"there_{made}"), now)
        assert outcome is not None
        await write(session, before, numbered(outcome, made), command_id=made, actor=None, at=now, plans=PLANS)
    owner = Caller(paying, tenant.owner.token)
    (invoice,) = good(await owner.get("/billing/invoices"))["data"]
    path, card = f"/billing/invoices/{invoice['id']}/pay", {"provider": "stripe"}
    refusal = refused(await owner.post(path, card, key=new_key()), 409, "invoice.wrong_state")
    assert (refusal["state"], await intents(database, tenant.org_id)) == ("open", [])
    # What its bank took back since is due, and can be paid.
    await as_owner(
        database_urls,
        "UPDATE payments SET status = 'charged_back', wake_at = NULL, "
        "state = jsonb_set(state, '{fulfilment}', '\"done\"') WHERE org_id = $1",
        tenant.org_id,
    )
    refused(await owner.post(path, card, key=new_key()), 503, "service.unavailable")
    assert len(await intents(database, tenant.org_id)) == 1


async def test_larger_plan_is_neither_shown_nor_ordered_while_the_bank_has_the_money_of_the_period(
    tenant: Tenant, database: Database, database_urls: DatabaseUrls, paying: httpx2.AsyncClient
) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    made = await on(database, tenant.org_id, terms("starter"), at=now)
    async with database.platform() as session:
        before = await subscriptions.lock(session, made)
        assert before is not None
        own = replace(bill(0, 2_900, before.period), ref=made, payment_ref=f"pi_{made}")
        outcome = converge(before, seen(own, period=before.period), now)
        assert outcome is not None
        await write(session, before, numbered(outcome, made), command_id=made, actor=None, at=now, plans=PLANS)
    owner, path = Caller(paying, tenant.owner.token), "/billing/subscription/preview?plan="
    good(await owner.get(f"{path}professional"))
    await as_owner(database_urls, "UPDATE payments SET status = 'disputed' WHERE org_id = $1", tenant.org_id)
    refused(await owner.get(f"{path}professional"), 409, "subscription.payment_disputed")
    answer = await owner.ask("PUT", "/billing/subscription", json={"plan": "professional"}, key=new_key())
    refused(answer, 409, "subscription.payment_disputed")
    good(await owner.get(f"{path}premium"))
