"""The automatic top-up: what is set is shown, what is sent is what was typed, and what is wrong stands at its field."""

from typing import Any

import pytest

from tests.console.fake import ORG, OWN, FakeApi, browser, problem

KEY = "con_auto_topup_0123456789"
PATH = f"/console/{ORG}/auto-top-up"
READ, WRITE = "GET /billing/auto-topup", "PUT /billing/auto-topup"
UNSET = {
    **{"organization_id": ORG, "enabled": False, "bought_this_month": "0.00", "failed_attempts": 0},
    **dict.fromkeys(
        ("below", "credits", "monthly_cap", "payment_method", "off_reason", "next_attempt_at", "updated_at")
    ),
}
SET = {
    **UNSET,
    **{"enabled": True, "below": "50.00", "credits": "500.00", "monthly_cap": "2000.00"},
    **{"bought_this_month": "1000.00", "payment_method": "pm_1", "updated_at": "2026-11-01T10:00:00Z"},
}
CARD = {
    **{"id": "pm_1", "type": "card", "brand": "visa", "last4": "4242"},
    **{"exp_month": 12, "exp_year": 2050, "is_default": True},
}
TYPED = {"command": KEY, "below": "50", "credits": "500", "monthly_cap": "2000", "payment_method": "pm_1"}


def api(topup: dict[str, Any], **answers: Any) -> FakeApi:
    known = {READ: (200, topup), "GET /billing/payment-methods": (200, {"data": [CARD], "next_cursor": None})}
    return FakeApi(answers={**known, **answers})


async def shown(asked: FakeApi) -> str:
    async with browser(asked, signed_in=True) as client:
        answer = await client.get(PATH)
        assert answer.status_code == 200
        return answer.text


async def test_page_shows_what_is_set_and_what_was_bought() -> None:
    page = await shown(api(SET))
    assert [f'value="{each}"' in page for each in ("50.00", "500.00", "2000.00")] == [True] * 3
    assert '<option value="pm_1" selected>Visa ending in 4242</option>' in page
    assert "1,000.00" in page
    assert "checked" in page
    assert "Next attempt" not in page


async def test_first_visit_offers_to_switch_it_on() -> None:
    page = await shown(api(UNSET))
    assert "checked" in page
    assert "<strong>Off</strong>" in page
    assert '<option value="" selected>The default payment method</option>' in page
    assert "Bought this month" not in page


async def test_declined_payments_and_the_next_try_are_shown() -> None:
    page = await shown(api({**SET, "failed_attempts": 2, "next_attempt_at": "2026-12-04T10:00:00Z"}))
    assert "Declined payments in a row" in page
    assert '<time datetime="2026-12-04T10:00:00' in page


async def test_reason_for_which_it_was_switched_off_is_text() -> None:
    page = await shown(api({**SET, "enabled": False, "off_reason": "<b>declined</b>"}))
    assert "&lt;b&gt;declined&lt;/b&gt;" in page
    assert "checked" not in page


async def test_method_that_is_not_stored_any_more_stays_chosen_and_is_named() -> None:
    page = await shown(api({**SET, "payment_method": "pm_gone"}))
    assert '<option value="pm_gone" selected>Removed payment method</option>' in page


async def test_page_is_there_when_the_methods_cannot_be_read() -> None:
    away = problem(503, "provider.unavailable")
    page = await shown(api(SET, **{"GET /billing/payment-methods": away}))
    assert "The stored methods cannot be shown now." in page
    assert '<option value="pm_1" selected>The present payment method</option>' in page


@pytest.mark.parametrize(
    ("typed", "sent", "notice"),
    [
        ({"enabled": "on"}, {"enabled": True, "payment_method": "pm_1"}, "auto_topup.on"),
        ({}, {"enabled": False, "payment_method": "pm_1"}, "auto_topup.off"),
        ({"enabled": "on", "payment_method": ""}, {"enabled": True, "payment_method": None}, "auto_topup.on"),
    ],
)
async def test_what_is_typed_is_sent_with_its_command_key(
    typed: dict[str, str], sent: dict[str, Any], notice: str
) -> None:
    asked = api(UNSET, **{WRITE: (200, SET)})
    async with browser(asked, signed_in=True) as client:
        answer = await client.post(PATH, data={**TYPED, **typed}, headers=OWN)
    assert (answer.status_code, answer.headers["location"].partition("?")[0]) == (303, PATH)
    assert notice in answer.headers["location"]
    (body,) = [body for name, _, body in asked.asked if name == WRITE]
    assert body == {"below": "50", "credits": "500", "monthly_cap": "2000", **sent}


async def test_refused_method_stands_at_its_field_and_what_was_typed_stays() -> None:
    refusal = problem(422, "payment_method.unknown", "It is not stored.", field="payment_method")
    asked = api(SET, **{WRITE: refusal})
    async with browser(asked, signed_in=True) as client:
        answer = await client.post(PATH, data={**TYPED, "below": "70"}, headers=OWN)
    assert answer.status_code == 422
    assert 'value="70"' in answer.text
    assert 'id="f-payment_method-error"' in answer.text
    # The box was not ticked, and stays so.
    assert "checked" not in answer.text
