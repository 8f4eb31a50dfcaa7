"""Billing and projects show what the API tells, offer what a state allows, and send what was confirmed."""

import html
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI

from console.billing import pages
from console.billing_details.pages import places
from console.format import Prefs
from console.invoice.pages import called
from console.payment_method.pages import outcomes
from console.topup import pages as topup
from domain.common.access import Permission
from runtime.database import Database
from tests.api.conftest import NewTenant
from tests.api.test_subscriptions import on
from tests.console.answering import refused, said
from tests.console.conftest import signed_in
from tests.console.fake import ME, ORG, OWN, FakeApi, browser, problem
from tests.console.rendering import object_page, render

HERE = f"/console/{ORG}/billing"
PREFS = Prefs()
LIMITS = {"projects": 5, "deploys": 5, "seats": 3, "api_access": True, "custom_integrations": False}


def usd(amount: str) -> dict[str, str]:
    return {"amount": amount, "currency": "USD"}


def plan(name: str, title: str, month: str) -> dict[str, Any]:
    prices = [{"interval": "month", "price": usd(month)}]
    terms = {"credits_per_month": "500.00", "limits": LIMITS, "trial_days": 14, "per_seat": False}
    return {"id": name, "name": title, "prices": prices, **terms}


CONFIG = {"plans": [plan("starter", "Starter", "29.00"), plan("professional", "Professional", "99.00")]}
TERMS = {
    "currency": "USD",
    "plan_prices": [{"plan": "professional", "interval": "month", "amount": "80.00", "currency": "USD"}],
    "net_days": 0,
    "collection_method": "charge_automatically",
}
TERMS_OF_PLAN: dict[str, Any] = {
    **{"plan": "starter", "interval": "month", "price": usd("29.00"), "credits_per_month": "500.00"},
    **{"is_agreed_price": False, "net_days": 0, "seats": None},
}
HELD: dict[str, Any] = {
    **TERMS_OF_PLAN,
    **{"id": "sub_1", "organization_id": ORG, "status": "active"},
    **{"period_start": "2026-11-01T00:00:00Z", "period_end": "2026-12-01T00:00:00Z", "cancel_at_period_end": False},
    "next_charge": {"at": "2026-12-01T00:00:00Z", "price": usd("29.00")},
    **dict.fromkeys(("pending_change", "ended_at", "trial_ends_at", "checkout_url", "checkout_expires_at", "pay_url")),
}
SMALLER = {
    **TERMS_OF_PLAN,
    **{"kind": "downgrade", "plan": "free", "price": usd("0.00"), "acts_at": HELD["period_end"]},
}
PREVIEW = {
    **TERMS_OF_PLAN,
    **{"plan": "professional", "price": usd("99.00"), "credits_per_month": "2000.00", "kind": "upgrade"},
    **{"acts_at": "2026-11-22T12:00:00Z", "due": usd("21.00"), "unused": usd("8.70"), "credits": "450.00"},
}
MANAGER = {**ME, "permissions": ["read", "read_billing", "pay", "manage_billing"]}
CARD = {
    **{"id": "pm_1", "type": "card", "brand": "visa", "last4": "4242"},
    **{"exp_month": 1, "exp_year": 2050, "is_default": True},
}


def text_of(page: str) -> str:
    """Return the words of a page, without its tags."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page)).replace("\N{NO-BREAK SPACE}", " ").split())


def shown(*permissions: Permission, **changes: Any) -> str:
    """Return the page of billing for a subscription."""
    return render(
        "billing/page.html",
        object_page(title="Billing", here=HERE),
        *permissions,
        subscription=said({**HELD, **changes}),
        entitlements=said({"organization_id": ORG, "plan": "starter", "data": []}),
        config=said(CONFIG),
        upcoming=refused(503, "internal"),
        invoices=said({"data": [], "next_cursor": None}),
        commands=pages.commands_of({**HELD, **changes}) if permissions else frozenset(),
        confirming=False,
        named=pages.named(said(CONFIG)),
        called=called,
    )


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
    assert pages.commands_of({**HELD, **changes}) == offered


def test_subscription_says_what_comes_next() -> None:
    assert "The next bill is on Dec 1, 2026, " in text_of(shown())
    assert ": 29.00 USD, plus tax where it applies." in text_of(shown())
    assert "It ends on Dec 1, 2026, " in text_of(shown(cancel_at_period_end=True))
    assert "The plan changes to Free on Dec 1, 2026, " in text_of(shown(pending_change=SMALLER))
    assert "The next bill is due on Dec 1, 2026, " in text_of(shown(net_days=30))
    assert "The next bill" not in shown(next_charge=None)


def test_who_may_not_change_the_subscription_is_offered_nothing() -> None:
    checkout = "https://x.test/cs_1"
    offered = shown(Permission.MANAGE_BILLING, checkout_url=checkout)
    assert all(f'href="{HERE}/{each}"' in offered for each in ("cancel", "end"))
    assert checkout in offered
    plain = shown(checkout_url=checkout)
    assert not any(each in plain for each in (f"{HERE}/cancel", f"{HERE}/end", checkout))


def test_section_that_cannot_be_read_says_so() -> None:
    assert "Upcoming invoice Not available right now." in text_of(shown())


async def page_at(path: str, **answers: Any) -> str:
    """Return a page below billing, for a member who manages it."""
    known = {
        f"GET_/organizations/{ORG}/billing-terms": (200, TERMS),
        "GET_/billing/entitlements": (200, {"organization_id": ORG, "plan": "starter", "data": []}),
        "GET_/billing/payment-methods": (200, {"data": [CARD]}),
    }
    async with browser(api(**known | answers), signed_in=True) as client:
        return (await client.get(f"{HERE}/{path}")).text


async def test_comparison_shows_the_price_that_was_agreed() -> None:
    page = await page_at("plans")
    assert "80.00 USD Billed monthly Agreed price" in text_of(page)
    assert f"{HERE}/change?plan=professional&amp;interval=month" in page
    assert f"{HERE}/change?plan=starter" not in page


async def test_switch_shows_the_prices_of_a_year_with_what_they_save() -> None:
    yearly = plan("starter", "Starter", "29.00")
    yearly["prices"].append({"interval": "year", "price": usd("290.00")})
    config = {"GET_/billing/config": (200, {"plans": [yearly]})}
    by_month, by_year = [await page_at(f"plans?interval={each}", **config) for each in ("anything", "year")]
    assert f'href="{HERE}/plans?interval=year" aria-current="page"' in by_year
    assert "290.00 USD Billed yearly Save 16% 58.00 USD less than 12 months" in text_of(by_year)
    assert f'href="{HERE}/change?plan=starter&amp;interval=year">Switch to yearly' in by_year
    assert "Save" not in by_month


def test_plans_of_which_the_cheaper_one_has_more_of_something_are_told_apart() -> None:
    premium = {**plan("premium", "Premium", "5.00"), "credits_per_month": "0.00"}
    starter = {**plan("starter", "Starter", "29.00"), "limits": {**LIMITS, "projects": 1, "deploys": 1}}
    largest = {**plan("whole", "Whole", "99.00"), "limits": dict.fromkeys(LIMITS)}
    assert pages.differences([premium, starter, largest]) == (
        "Premium has more projects (5 instead of 1) and deployments (5 instead of 1);"
        " Starter has more credits a month (500 instead of 0).",
    )


def test_package_is_offered_with_its_price_per_credit_unless_another_costs_less() -> None:
    sold = [
        ("large", "2000.00", "149.90", "0.07495"),
        ("pack_100", "100.00", "10.00", "0.1"),
        ("small", "100.00", "9.90", "0.099"),
        ("tiny", "10.00", "1.10", "0.11"),
    ]
    offered = [
        {"id": name, "name": name, "credits": credits, "price": usd(cost), "price_per_credit": usd(each)}
        for name, credits, cost, each in sold
    ]
    assert [tuple(text_of(each) for each in option) for option in topup.packages(offered, usd("0.10"))] == [
        ("small", "Small: 100 credits", "9.90 USD, 0.099 USD per credit"),
        ("large", "Large: 2,000 credits", "149.90 USD, 0.07495 USD per credit. Save 25%"),
        ("own", "Custom amount", "0.10 USD per credit. Enter the number below"),
    ]


CHANGE = "change?plan=professional&interval=month"
NEW = {"GET_/billing/subscription": problem(404, "not_found")}


async def test_change_shows_every_amount_of_the_preview_and_sends_what_is_due() -> None:
    page = await page_at(CHANGE, **{"GET_/billing/subscription/preview": (200, PREVIEW)})
    assert (
        "Credit for unused time 8.70 USD Due today, excluding tax 21.00 USD Credits added now 450.00 credits "
        "From then on 99.00 USD a month Credits a month 2,000.00 credits "
        "The new plan starts when this payment succeeds."
    ) in text_of(page)
    assert '<input type="hidden" name="max_amount" value="21.00">' in page
    assert "Change to Professional, pay 21.00 USD" in text_of(page)
    assert 'name="by"' not in page


async def test_new_subscription_names_the_agreed_price_and_the_stored_method() -> None:
    page = await page_at(CHANGE, **NEW)
    assert "Subscribe for 80.00 USD a month" in text_of(page)
    assert re.findall(r'name="by" value="(\w+)"', page) == ["stored", "page"]
    assert all(each in text_of(page) for each in ("Start a trial of 14 days", "Visa ending in 4242"))


async def test_plan_that_is_sold_by_the_seat_costs_its_price_for_each_of_them() -> None:
    team = {**plan("professional", "Team", "12.00"), "per_seat": True, "limits": {**LIMITS, "seats": 200}}
    config = {"GET_/billing/config": (200, {"plans": [CONFIG["plans"][0], team]})}
    terms = {f"GET_/organizations/{ORG}/billing-terms": (200, {**TERMS, "plan_prices": []})}
    page = await page_at(f"{CHANGE}&seats=7", **NEW, **config, **terms)
    assert "Plan Team Seats 7 Price, excluding tax 84.00 USD a month Credits a month 3,500.00 credits" in text_of(page)
    assert '<input type="hidden" name="seats" value="7">' in page
    assert "Enter the number of seats." in await page_at(CHANGE, **NEW, **config, **terms)
    held = {"GET_/billing/subscription": (200, {**HELD, "plan": "professional"})}
    plans = text_of(await page_at("plans", **held, **config, **terms))
    assert all(each in plans for each in ("12.00 USD Per seat, billed monthly", "Change seats", "People: Up to 200"))


async def test_new_subscription_on_net_terms_asks_for_no_method() -> None:
    terms = (200, {**TERMS, "collection_method": "send_invoice", "net_days": 30})
    page = await page_at(CHANGE, **NEW, **{f"GET_/organizations/{ORG}/billing-terms": terms})
    assert "Payment is requested, due 30 days after the invoice." in page
    assert 'name="by"' not in page
    assert "trial" not in page


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
    "packages": [
        {"id": "small", "name": "small", "credits": "100.00", "price": usd("9.00"), "price_per_credit": usd("0.09")}
    ],
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
    methods = {"data": [CARD]}
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


def test_countries_are_picked_by_name_and_an_unknown_code_stays_chosen() -> None:
    known = dict(places("DE"))
    assert (known["DE"], known[""], known.get("EU")) == ("Germany", "Not set", None)
    assert ("X1", "X1") in places("X1")


def test_payments_by_method_are_ranked_by_their_number() -> None:
    def row(provider: str, method: str | None, *counts: str) -> dict[str, Any]:
        values = [
            {"metric": f"payments.{name}", "value": n} for name, n in zip(("succeeded", "failed"), counts, strict=True)
        ]
        return {"group": {"provider": provider, "method": method}, "values": values}

    rows = [row("crypto", None, "1", "0"), row("stripe", "sepa_debit", "3", "1"), row("paypal", None, "0", "0")]
    found = [(each.label, each.text, each.width) for each in outcomes(rows)]
    assert found == [("Direct debit", "3 of 4", "75.00"), ("Coins", "1 of 1", "100.00")]
