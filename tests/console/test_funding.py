"""Escrows are funded from what is there and from outside: the cost is seen before, and the payer is led on."""

from typing import Any

import pytest

from console.escrow.pages import outside
from tests.console.fake import OWN, FakeApi, browser, problem
from tests.console.test_escrow import ESCROW, ID, LIST, effect
from tests.console.test_payments import hidden
from tests.console.walking import text_of

KEY = "con_funding_0123456789"
PATH = f"{LIST}/{ID}/fund"
ORDER = f"POST /escrows/{ID}/fund"
FUND = {"action": "fund", "allowed": True, "reason": None, "effect": effect(funded="50.00")}
QUOTE = {"subtotal": "5.00", "currency": "USD"}
CONFIG = {"providers": [{"name": "stripe"}, {"name": "paypal"}, {"name": "crypto"}], "crypto_assets": ["BTC", "TON"]}
WAYS = (("stored:pm_1", "Visa", ""), ("card", "Card", ""), ("coin:BTC", "BTC", ""), ("coin:TON", "TON", ""))
PAYMENT = {"id": "pay_1", "approval_url": None, "deposit": None}


def api(**answers: Any) -> FakeApi:
    known = {
        f"GET /escrows/{ID}": (200, {**ESCROW, "status": "open"}),
        f"GET /escrows/{ID}/actions": (200, {"actions": [FUND]}),
        "GET /billing/config": (200, CONFIG),
        "GET /billing/payment-methods": (200, {"data": [], "next_cursor": None}),
        "GET /billing/quote": (200, QUOTE),
    }
    return FakeApi(answers={**known, **answers})


@pytest.mark.parametrize(
    ("currency", "ways"),
    [
        ("CREDIT", ["stored:pm_1", "card", "coin:BTC", "coin:TON"]),
        ("USD", ["stored:pm_1", "card"]),
        ("BTC", ["coin:BTC"]),
    ],
)
def test_escrow_is_offered_the_ways_that_pay_its_currency(currency: str, ways: list[str]) -> None:
    assert [way for way, _, _ in outside(currency, WAYS)] == ways


async def test_page_says_what_credits_for_the_escrow_cost_before_anything_is_made() -> None:
    asked = api()
    async with browser(asked, signed_in=True) as client:
        page = (await client.get(PATH)).text
    assert [body for name, _, body in asked.asked if name == "GET /billing/quote"] == [{"credits": "50.00"}]
    assert 'you buy these credits for <span class="money">5.00&nbsp;<span class="unit">USD</span></span>' in page
    assert [way in page for way in ('value="credits"', 'value="card"', 'value="coin:TON"')] == [True] * 3
    assert asked.commands() == []


async def test_what_could_not_be_read_is_a_dash() -> None:
    silent = problem(503, "service.unavailable")
    asked = api(**{"GET /billing/quote": silent, "GET /billing/balance": silent})
    async with browser(asked, signed_in=True) as client:
        page = (await client.get(PATH)).text
    assert text_of(page).count("not available right now") == 2
    assert 'name="total"' not in page


@pytest.mark.parametrize(
    ("source", "sent"),
    [
        ("credits", {"source": "credits"}),
        ("stored:pm_1", {"provider": "stripe", "payment_method": "pm_1", "total": "5.00"}),
        ("card", {"provider": "stripe", "hosted": True, "total": "5.00"}),
        ("paypal", {"provider": "paypal", "total": "5.00"}),
        ("coin:TON", {"provider": "crypto", "asset": "TON"}),
    ],
)
async def test_each_way_asks_the_api_for_what_it_says(source: str, sent: dict[str, Any]) -> None:
    made = api(**{ORDER: (200, {**ESCROW, "payment": None if source == "credits" else PAYMENT})})
    async with browser(made, signed_in=True) as client:
        total = hidden((await client.get(PATH)).text, "total")
        await client.post(PATH, data={"command": KEY, "source": source, "total": total}, headers=OWN)
    (body,) = [body for name, _, body in made.asked if name == ORDER]
    assert {name: value for name, value in body.items() if name != "return_url"} == sent
    assert ("return_url" in body) == (source in {"stored:pm_1", "card", "paypal"})


@pytest.mark.parametrize(
    ("payment", "led"),
    [
        ({"approval_url": "https://pay.example.com/1"}, "/go"),
        ({"deposit": {"address": "EQ"}}, ""),
        ({}, "/return"),
    ],
)
async def test_payer_is_led_to_where_it_is_paid(payment: dict[str, Any], led: str) -> None:
    made = api(**{ORDER: (200, {**ESCROW, "payment": {**PAYMENT, **payment}})})
    async with browser(made, signed_in=True) as client:
        answer = await client.post(PATH, data={"command": KEY, "source": "card"}, headers=OWN)
    assert answer.headers["location"] == LIST.replace("/escrows", f"/payments/pay_1{led}")


async def test_declined_card_keeps_the_page_and_says_that_nothing_was_taken() -> None:
    declined = api(**{ORDER: problem(402, "payment.declined", "Your card was declined.")})
    async with browser(declined, signed_in=True) as client:
        answer = await client.post(PATH, data={"command": KEY, "source": "card"}, headers=OWN)
    assert answer.status_code == 402
    assert "Your card was declined. Nothing was charged. Pay another way." in answer.text
