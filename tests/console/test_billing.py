"""Billing and projects show what the API tells, offer what a state allows, and send what was confirmed."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI

from console.billing import change as changing, plans, view
from console.format import Prefs
from console.forms import blank
from console.gateway import Answer
from console.topup import view as topup
from runtime.database import Database
from tests.api.conftest import NewTenant
from tests.api.test_subscriptions import on
from tests.console.answering import refused, said
from tests.console.conftest import signed_in
from tests.console.fake import ME, ORG, OWN, FakeApi, browser, problem

HERE = f"/console/{ORG}/billing"
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
PREFS = Prefs()
LIMITS = {"projects": 5, "deploys": 5, "seats": 3, "api_access": True, "custom_integrations": False}


def usd(amount: str) -> dict[str, str]:
    return {"amount": amount, "currency": "USD"}


def plan(name: str, title: str, month: str) -> dict[str, Any]:
    prices = [{"interval": "month", "price": usd(month)}]
    return {
        "id": name,
        "name": title,
        "prices": prices,
        "credits_per_month": "500.00",
        "limits": LIMITS,
        "trial_days": 14,
        "per_seat": False,
    }


CONFIG = {"plans": [plan("starter", "Starter", "29.00"), plan("professional", "Professional", "99.00")]}
TERMS = {
    "currency": "USD",
    "plan_prices": [{"plan": "professional", "interval": "month", "amount": "80.00", "currency": "USD"}],
    "net_days": 0,
    "collection_method": "charge_automatically",
}
HELD: dict[str, Any] = {
    "id": "sub_1",
    "organization_id": ORG,
    "plan": "starter",
    "interval": "month",
    "price": usd("29.00"),
    "credits_per_month": "500.00",
    "is_agreed_price": False,
    "net_days": 0,
    "status": "active",
    "period_start": "2026-11-01T00:00:00Z",
    "period_end": "2026-12-01T00:00:00Z",
    "cancel_at_period_end": False,
    "pending_change": None,
    "ended_at": None,
    "trial_ends_at": None,
    "checkout_url": None,
    "checkout_expires_at": None,
    "pay_url": None,
    "seats": None,
}
SMALLER = {
    "kind": "downgrade",
    "plan": "free",
    "interval": "month",
    "price": usd("0.00"),
    "acts_at": HELD["period_end"],
}
PREVIEW = {
    "plan": "professional",
    "interval": "month",
    "price": usd("99.00"),
    "credits_per_month": "2000.00",
    "is_agreed_price": False,
    "net_days": 0,
    "kind": "upgrade",
    "acts_at": "2026-11-22T12:00:00Z",
    "due": usd("21.00"),
    "unused": usd("8.70"),
    "credits": "450.00",
    "seats": None,
}
MANAGER = {**ME, "permissions": ["read", "read_billing", "pay", "manage_billing"]}
NO_SUBSCRIPTION = Answer(status=404, request_id="req_1")


def held(**changes: Any) -> view.Held:
    return view.held_of({**HELD, **changes}, said(CONFIG), PREFS, HERE, NOW, may_change=True)


@pytest.mark.parametrize(
    ("changes", "offered"),
    [
        ({}, {"change", "cancel", "end"}),
        ({"cancel_at_period_end": True}, {"change", "end", "resume"}),
        ({"pending_change": SMALLER}, {"cancel", "end", "resume"}),
        ({"status": "past_due"}, {"cancel", "end"}),
        ({"status": "incomplete", "period_end": None}, {"end"}),
        ({"status": "unpaid"}, {"end"}),
        ({"status": "ended"}, set()),
    ],
)
def test_commands_are_those_of_the_state(changes: dict[str, Any], offered: set[str]) -> None:
    assert plans.commands_of({**HELD, **changes}) == offered


def test_subscription_says_what_the_next_bill_is() -> None:
    assert (
        held().next
        == "The next bill is on Dec 1, 2026, in 8 days: 29.00\N{NO-BREAK SPACE}USD, plus tax where it applies."
    )


def test_cancelled_subscription_says_when_it_ends() -> None:
    assert held(cancel_at_period_end=True).next.startswith("It ends on Dec 1, 2026")


def test_who_may_not_change_it_is_offered_nothing() -> None:
    shown = view.held_of({**HELD, "checkout_url": "https://x.test"}, said(CONFIG), PREFS, HERE, NOW, may_change=False)
    assert (shown.change, shown.cancel, shown.end, shown.resume, shown.checkout) == ("", "", "", "", None)


def test_comparison_shows_the_price_that_was_agreed() -> None:
    answers = {
        "config": said(CONFIG),
        "subscription": said(HELD),
        "terms": said(TERMS),
        "entitlements": said({"plan": "starter"}),
    }
    starter, professional = plans.page(answers, PREFS, HERE, may_change=True).plans
    assert (starter.current, starter.prices[0].href) == (True, "")
    assert (str(professional.prices[0].amount), professional.prices[0].agreed) == ("80.00\N{NO-BREAK SPACE}USD", True)
    assert professional.prices[0].href == f"{HERE}/change?plan=professional&interval=month"


def test_switch_shows_the_prices_of_a_year_with_what_they_save() -> None:
    yearly = plan("starter", "Starter", "29.00")
    yearly["prices"].append({"interval": "year", "price": usd("290.00")})
    answers = {name: said(body) for name, body in (("config", {"plans": [yearly]}), ("terms", TERMS))}
    answers |= {"subscription": said(HELD), "entitlements": said({"plan": "starter"})}
    by_month, by_year = [
        plans.page(answers, PREFS, HERE, may_change=True, interval=each) for each in ("anything", "year")
    ]
    assert [tab.label for tab in by_year.intervals if tab.current] == ["Yearly"]
    assert by_year.intervals[1].href == f"{HERE}/plans?interval=year"
    (price,) = [each.price for each in by_year.plans]
    assert price is not None
    assert (price.amount.number, price.saved, price.part) == (
        "290.00",
        "58.00\N{NO-BREAK SPACE}USD less than 12 months",
        "16%",
    )
    assert (price.label, price.href) == ("Switch to yearly", f"{HERE}/change?plan=starter&interval=year")
    (price,) = [each.price for each in by_month.plans]
    assert price is not None
    assert (price.amount.number, price.saved, price.href) == ("29.00", "", "")


def test_plans_of_which_the_cheaper_one_has_more_of_something_are_told_apart() -> None:
    premium = {**plan("premium", "Premium", "5.00"), "credits_per_month": "0.00"}
    starter = {**plan("starter", "Starter", "29.00"), "limits": {**LIMITS, "projects": 1, "deploys": 1}}
    largest = {**plan("whole", "Whole", "99.00"), "limits": dict.fromkeys(LIMITS)}
    assert plans.differences([premium, starter, largest], PREFS) == (
        "Premium has more projects (5 instead of 1) and deployments (5 instead of 1);"
        " Starter has more credits a month (500 instead of 0).",
    )


def test_every_package_that_is_sold_is_offered_once_with_what_it_saves() -> None:
    sold = [("large", "2000.00", "149.90"), ("pack_100", "100.00", "10.00"), ("small", "100.00", "9.90")]
    packages = [{"id": name, "name": name, "credits": credits, "price": usd(cost)} for name, credits, cost in sold]
    config = {**PAYABLE, "packages": packages}
    answers = {"config": said(config), "methods": said({"data": []}), "balance": refused(503, "internal")}
    page = topup.page(answers, blank(), blank(), PREFS, "/top-up", quoted=None)
    assert [(name, more.replace("\N{NO-BREAK SPACE}", " ")) for name, _, more in page.packages[:-1]] == [
        ("small", "9.90 USD. Save 1%"),
        ("pack_100", "10.00 USD"),
        ("large", "149.90 USD. Save 25%"),
    ]


def asked(
    subscription: Answer, *, config: Any = CONFIG, seats: str = "", preview: Any = PREVIEW, **changes: Any
) -> changing.Change:
    answers = {
        "config": said(config),
        "subscription": subscription,
        "terms": said({**TERMS, **changes}),
        "methods": said(
            {"data": [{"id": "pm_1", "brand": "visa", "type": "card", "last4": "4242", "is_default": True}]}
        ),
        "preview": said(preview) if subscription.ok else Answer(status=404, request_id="req_1"),
    }
    chosen = {"plan": "professional", "interval": "month"} | ({"seats": seats} if seats else {})
    return changing.page(answers, chosen, blank(), PREFS, HERE, "")


def test_change_shows_every_amount_of_the_preview_and_sends_what_is_due() -> None:
    page = asked(said(HELD))
    amounts = {line.label: str(line.amount).replace("\N{NO-BREAK SPACE}", " ") for line in page.lines}
    assert amounts == {
        "Credit for unused time": "8.70 USD",
        "Due today, excluding tax": "21.00 USD",
        "Credits added now": "450.00 credits",
        "From then on, a month": "99.00 USD",
        "Credits a month": "2,000.00 credits",
    }
    assert ("max_amount", "21.00") in page.sent
    assert page.label == "Change to Professional, pay 21.00\N{NO-BREAK SPACE}USD"
    assert page.payment_options == ()


def test_new_subscription_names_the_agreed_price_and_the_stored_method() -> None:
    page = asked(NO_SUBSCRIPTION)
    assert page.label == "Subscribe for 80.00\N{NO-BREAK SPACE}USD a month"
    assert [value for value, _, _ in page.payment_options] == ["stored", "page"]
    assert page.trial == "Start a trial of 14 days"


def test_plan_that_is_sold_by_the_seat_costs_its_price_for_each_of_them() -> None:
    team = {**plan("professional", "Team", "12.00"), "per_seat": True, "limits": {**LIMITS, "seats": 200}}
    config = {"plans": [CONFIG["plans"][0], team]}
    page = asked(NO_SUBSCRIPTION, config=config, seats="7", plan_prices=[])
    assert (page.by_seat, page.label) == (True, "Subscribe for 84.00\N{NO-BREAK SPACE}USD a month")
    assert [line.label for line in page.lines] == ["Team, 7 seats, a month, plus tax", "Credits a month"]
    assert str(page.lines[1].amount).startswith("3,500.00")
    assert ("seats", "7") in page.sent
    assert asked(NO_SUBSCRIPTION, config=config, plan_prices=[]).why == (
        "This plan is priced per seat. Enter the number of seats."
    )
    changed = asked(said({**HELD, "plan": "professional", "seats": 3}), config=config, preview={**PREVIEW, "seats": 7})
    assert "From then on, 7 seats, a month" in [line.label for line in changed.lines]
    answers = {name: said(body) for name, body in (("config", config), ("terms", TERMS))}
    answers |= {"subscription": said({**HELD, "plan": "professional"}), "entitlements": said({"plan": "professional"})}
    shown = plans.page(answers, PREFS, HERE, may_change=True).plans[1]
    assert (shown.prices[0].every, shown.prices[0].label, shown.seats) == (
        "a seat a month",
        "Change seats",
        "Up to 200",
    )


def test_new_subscription_on_net_terms_asks_for_no_method() -> None:
    page = asked(NO_SUBSCRIPTION, collection_method="send_invoice", net_days=30)
    assert (page.payment_options, page.trial) == ((), "")
    assert page.sentences[0] == "Payment is requested, due 30 days after the invoice."


def limit(used: int, of: int | None) -> dict[str, int | None]:
    return {"used": used, "limit": of}


def api(**answers: tuple[int, Any]) -> FakeApi:
    known = {"GET /me": (200, MANAGER), "GET /billing/subscription": (200, HELD), "GET /billing/config": (200, CONFIG)}
    return FakeApi(answers=known | {name.replace("_", " ", 1): answer for name, answer in answers.items()})


FORM = {"command": "con_0123456789abcdef"}


@pytest.mark.parametrize(("way", "at_end"), [("cancel", "true"), ("end", "false")])
async def test_cancelling_says_when(way: str, at_end: str) -> None:
    fake = api(**{"DELETE_/billing/subscription": (200, {**HELD, "status": "ended"})})
    async with browser(fake, signed_in=True) as client:
        page = await client.get(f"{HERE}/{way}")
        answer = await client.post(f"{HERE}/{way}", data=FORM, headers=OWN)
    assert page.status_code == 200
    assert answer.status_code == 303
    name, headers, query = fake.asked[-1]
    assert (name, query) == ("DELETE /billing/subscription", {"at_period_end": at_end})
    assert headers["idempotency-key"] == FORM["command"]


async def test_price_that_has_changed_orders_nothing_and_shows_the_new_one() -> None:
    fake = api(
        **{
            "PUT_/billing/subscription": problem(409, "subscription.price_changed", "More is due now."),
            "GET_/billing/subscription/preview": (200, PREVIEW),
            f"GET_/organizations/{ORG}/billing-terms": (200, TERMS),
            "GET_/billing/payment-methods": (200, {"data": []}),
        }
    )
    fields = {**FORM, "plan": "professional", "interval": "month", "max_amount": "20.00"}
    async with browser(fake, signed_in=True) as client:
        answer = await client.post(f"{HERE}/change", data=fields, headers=OWN)
    assert answer.status_code == 409
    assert "More is due now. Nothing was done." in answer.text
    assert 'name="max_amount" value="21.00"' in answer.text
    sent = next(body for name, _, body in fake.asked if name.startswith("PUT"))
    assert sent == {"plan": "professional", "interval": "month", "max_amount": "20.00"}


async def test_seats_of_the_form_are_previewed_and_ordered() -> None:
    fake = api(
        **{
            "GET_/billing/subscription/preview": (200, {**PREVIEW, "seats": 7}),
            "PUT_/billing/subscription": problem(409, "subscription.seats_in_use", "Revoke keys first."),
            f"GET_/organizations/{ORG}/billing-terms": (200, TERMS),
            "GET_/billing/payment-methods": (200, {"data": []}),
        }
    )
    fields = {**FORM, "plan": "professional", "interval": "month", "seats": "7", "max_amount": "20.00"}
    async with browser(fake, signed_in=True) as client:
        asked = await client.get(f"{HERE}/change?plan=professional&interval=month&seats=7", headers=OWN)
        await client.post(f"{HERE}/change", data=fields, headers=OWN)
    assert 'name="seats" value="7"' in asked.text
    previewed = [query for name, _, query in fake.asked if name == "GET /billing/subscription/preview"]
    assert previewed[0] == {"plan": "professional", "interval": "month", "seats": "7"}
    sent = next(body for name, _, body in fake.asked if name.startswith("PUT"))
    assert sent == {"plan": "professional", "interval": "month", "seats": 7, "max_amount": "20.00"}


async def test_deploying_beyond_the_limit_leads_to_the_plans() -> None:
    limits = {
        "projects": limit(5, 5),
        "deployments": limit(5, 5),
        "slots": {"free": 0, "in_use": 0, "owed": 0},
        "slot_price": usd("5.00"),
    }
    refusal = problem(409, "deployment.limit_reached", "5 of 5 allowed deployments exist.")
    fake = api(
        **{
            "POST_/projects/tables/deploy": refusal,
            "GET_/projects": (200, {"data": [], "next_cursor": None}),
            "GET_/projects/deployment/limits": (200, limits),
        }
    )
    async with browser(fake, signed_in=True) as client:
        answer = await client.post(f"/console/{ORG}/projects/tables/deploy", data=FORM, headers=OWN)
    assert answer.status_code == 409
    assert "5 of 5 allowed deployments exist." in answer.text
    assert f'href="{HERE}/plans"' in answer.text


async def test_slots_are_bought_at_the_price_that_was_asked_for() -> None:
    quote = {
        "slots": 2, "currency": "USD", "subtotal": "10.00", "total": "12.00", "rate": None,
        "tax": {"code": "VAT", "category": "standard", "rate": "0.2", "amount": "2.00"},
    }  # fmt: skip
    limits = {"slots": {"free": 0, "in_use": 0, "owed": 0}, "slot_price": usd("5.00")}
    config = {**CONFIG, "providers": [{"name": "stripe", "currencies": ["USD"]}], "crypto_assets": []}
    fake = api(
        **{
            "GET_/billing/config": (200, config),
            "GET_/billing/payment-methods": (200, {"data": []}),
            "GET_/projects/deployment/limits": (200, limits),
            "GET_/billing/quote": (200, quote),
            "POST_/projects/deployment/purchase-slot": (
                201,
                {"id": "pay_1", "approval_url": "https://x.test", "deposit": None},
            ),
        }
    )
    async with browser(fake, signed_in=True) as client:
        page = await client.get(f"/console/{ORG}/projects/slots?slots=2")
        fields = {**FORM, "slots": "2", "by": "card", "total": "12.00"}
        answer = await client.post(f"/console/{ORG}/projects/slots", data=fields, headers=OWN)
    assert "Pay 12.00" in page.text
    assert "Tax, 20%" in page.text
    assert '<input type="hidden" name="total" value="12.00">' in page.text
    assert answer.headers["location"] == f"/console/{ORG}/payments/pay_1/go"
    body = fake.asked[-1][2]
    assert (body["slots"], body["total"], body["hosted"], body["provider"]) == (2, "12.00", True, "stripe")


async def test_slots_for_coins_are_bought_at_the_rate_of_the_moment() -> None:
    quote = {"slots": 2, "currency": "BTC", "subtotal": "0.0001", "total": "0.0001", "tax": None}
    quote["rate"] = {"price": "100000.00", "currency": "USD"}
    fake = api(
        **{
            "GET_/billing/config": (200, COINS),
            "GET_/billing/payment-methods": (200, {"data": []}),
            "GET_/projects/deployment/limits": (200, {"slots": {"owed": 0}, "slot_price": usd("5.00")}),
            "GET_/billing/quote": (200, quote),
        }
    )
    async with browser(fake, signed_in=True) as client:
        page = (await client.get(f"/console/{ORG}/projects/slots?slots=2&by=coin:BTC")).text
    assert "Pay 0.0001" in page
    assert 'name="total"' not in page


COINS = {**CONFIG, "providers": [{"name": "crypto"}], "crypto_assets": ["BTC"]}
PAYABLE = {
    "providers": [{"name": "stripe"}, {"name": "crypto"}],
    "crypto_assets": ["BTC"],
    "credit_price": usd("0.10"),
    "packages": [{"id": "small", "name": "small", "credits": "100.00", "price": usd("9.00")}],
}


@pytest.mark.parametrize(
    ("chosen", "order", "seen"),
    [
        ({"credits": "100", "by": "card"}, "POST /billing/topup", "11.90"),
        ({"credits": "100", "by": "stored:pm_1"}, "POST /billing/topup", "11.90"),
        ({"credits": "100", "by": "coin:BTC"}, "POST /billing/topup", None),
        ({"package": "small", "by": "card"}, "POST /billing/credits/purchase", "11.90"),
        ({"package": "small", "by": "stored:pm_1"}, "POST /billing/purchase-credits", "11.90"),
    ],
)
async def test_credits_are_bought_at_the_total_that_was_shown(
    chosen: dict[str, str], order: str, seen: str | None
) -> None:
    tax = {"code": "VAT", "category": "standard", "rate": "0.19", "amount": "1.90"}
    quote = {"credits": "100.00", "currency": "USD", "subtotal": "9.50", "total": "11.90", "tax": tax, "rate": None}
    quote["fee"] = "0.50"
    methods = {"data": [{"id": "pm_1", "kind": "card", "brand": "visa", "last4": "4242", "is_default": True}]}
    changed = problem(422, "request.invalid", "The total is 12.00 USD now.", field="total")
    fake = api(
        **{
            "GET_/billing/config": (200, PAYABLE),
            "GET_/billing/payment-methods": (200, methods),
            "GET_/billing/quote": (200, quote),
            order.replace(" ", "_", 1): changed,
        }
    )
    here = f"/console/{ORG}/top-up"
    async with browser(fake, signed_in=True) as client:
        page = (await client.get(here, params=chosen)).text
        fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page))
        answer = await client.post(here, data=fields, headers=OWN)
    (body,) = [body for name, _, body in fake.asked if name == order]
    assert body.get("total") == seen
    assert re.search(r"Small order fee</dt>\s*<dd>[^/]*0\.50", page)
    assert (answer.status_code, "The total is 12.00 USD now." in answer.text) == (422, True)


async def test_plan_is_subscribed_to_at_the_price_that_was_shown() -> None:
    fake = api(
        **{
            "GET_/billing/subscription": problem(404, "not_found"),
            "GET_/billing/subscription/preview": problem(404, "not_found"),
            "POST_/billing/subscription": problem(409, "subscription.price_changed", "It costs more."),
            f"GET_/organizations/{ORG}/billing-terms": (200, TERMS),
            "GET_/billing/payment-methods": (200, {"data": []}),
        }
    )
    here = f"{HERE}/change?plan=professional&interval=month"
    async with browser(fake, signed_in=True) as client:
        page = (await client.get(here)).text
        fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page))
        answer = await client.post(f"{HERE}/change", data=fields, headers=OWN)
    (body,) = [body for name, _, body in fake.asked if name == "POST /billing/subscription"]
    assert body == {"plan": "professional", "interval": "month", "currency": "USD", "max_amount": "80.00"}
    assert (answer.status_code, "It costs more. Nothing was done." in answer.text) == (409, True)


@pytest.mark.parametrize("page", ["checkout_url", "pay_url"])
async def test_subscribing_leads_to_the_page_of_the_provider_by_itself(page: str) -> None:
    held = {**HELD, page: "https://checkout.stripe.test/cs_1"}
    fake = api(
        **{
            "GET_/billing/subscription": (200, held),
            "POST_/billing/subscription": (201, held),
            "GET_/billing/config": (200, CONFIG),
        }
    )
    async with browser(fake, signed_in=True) as client:
        answer = await client.post(f"{HERE}/change", data={**FORM, "plan": "starter", "by": "page"}, headers=OWN)
        assert answer.headers["location"] == f"{HERE}/go"
        led = (await client.get(f"{HERE}/go")).text
        assert 'http-equiv="refresh" content="1; url=https://checkout.stripe.test/cs_1"' in led
        assert "Pay for Starter" in led
        held[page] = None
        assert (await client.get(f"{HERE}/go")).headers["location"] == HERE


@pytest.mark.parametrize(("by", "seen"), [("card", "12.00"), ("stored:pm_1", "12.00"), ("coin:BTC", None)])
async def test_invoice_is_paid_as_much_as_was_shown(by: str, seen: str | None) -> None:
    fake = api(**{"POST_/billing/invoices/inv_1/pay": (201, {"id": "pay_1", "approval_url": None, "deposit": None})})
    async with browser(fake, signed_in=True) as client:
        fields = {**FORM, "by": by, "total": "12.00"}
        await client.post(f"/console/{ORG}/invoices/inv_1/pay", data=fields, headers=OWN)
    assert fake.asked[-1][2].get("total") == seen


@pytest.mark.db
async def test_subscribed_organization_sees_its_plan_and_what_a_change_costs(
    app: FastAPI, new_tenant: NewTenant, database: Database
) -> None:
    tenant = await new_tenant("owner")
    await on(database, tenant.org_id, at=datetime.now(UTC).replace(microsecond=0) - timedelta(days=3))
    owner = await signed_in(app, "owner", tenant.owner.token)
    base = f"/console/{tenant.org_id}/billing"

    async def page(path: str) -> httpx2.Response:
        return await owner.get(f"{base}{path}")

    assert "29.00" in (await page("")).text
    assert "Compare plans" in (await page("/plans")).text
    larger = await page("/change?plan=professional&interval=month")
    assert "Due today" in larger.text
    same = await page("/change?plan=starter&interval=month")
    assert (same.status_code, "already" in same.text) == (422, True)
    assert [(await page(f"/{way}")).status_code for way in ("cancel", "end", "resume")] == [200, 200, 409]
    await owner.browser.aclose()
