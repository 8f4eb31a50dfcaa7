"""Agents, their standing, earnings and transfers are shown as the API tells them."""

import re
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from console.earnings.pages import convertible, options_of, paying_out, values_of
from console.format import MINUS
from console.forms import FormState
from console.gateway import Answer, Problem
from console.reputation.scores import DIMENSIONS, bars, by_day, signed
from console.status import Status, Tone
from console.transaction.pages import cause_page
from domain.common.access import Permission
from domain.payouts.earnings import EarningsKind
from domain.reputation.facts import SENTENCES, FactKind
from tests.console.answering import said
from tests.console.rendering import object_page, render
from tests.console.walking import text_of
from tests.support.cases import for_each

NOW = datetime(2026, 11, 20, tzinfo=UTC)
BASE = "/console/org_1"
AGENT = {"id": "agt_1", "name": "Summariser", "organization_id": "org_1", "pricing": {"currency": None}}
SCORE = {"score": 7.25, "low": 6.0, "high": 8.5, "evidence_count": 3}
STANDING = {
    "overall_score": 7.25,
    "stars": 3.625,
    "low": 6.0,
    "high": 8.5,
    "is_certain": False,
    "trend": "falling",
    "change": -0.5,
    "moved_most": [
        {"event_id": "rev_1", "kind": "dispute_lost", "at": "2026-11-20T00:00:00Z", "score_delta": -0.431},
        {"event_id": "rev_2", "kind": "released", "at": "2026-11-21T00:00:00Z", "score_delta": 0.2},
    ],
    "evidence_count": 3,
    "dimensions": {"quality": SCORE},
}
PEERS = {"peers": 0, "percentile": None, "dimensions": {"quality": None}}
ACCOUNT_LESS: dict[str, Any] = {
    "account": None,
    "payable": [],
    "minimum": "10.00",
    "refused": "payout.no_account",
    "detail": "None.",
}


def silent() -> Answer:
    problem = Problem(status=503, code="service.unavailable", title="", detail="")
    return Answer(status=503, request_id="req_9", problem=problem)


def standing(**changes: Any) -> str:
    values = {"peers": said(PEERS), "history": said({"data": []}), "feedback": said({"data": []}), **changes}
    trend = Status(word="Falling", tone=Tone.WARN, icon="warn", sentence="")
    drawn = {"trend": trend, "bars": bars, "charts": (by_day,), "labels": DIMENSIONS}
    more = {"it": AGENT, "score": STANDING, "price": None, "events": SENTENCES, "signed": signed}
    return text_of(render("reputation/page.html", object_page(), **values, **drawn, **more))


def test_score_is_shown_with_its_interval_and_as_a_bar_of_ten() -> None:
    shown = standing()
    for words in ("Stars 3.6 Of 5", "Score 7.25 Of 10; 90% interval: 6.00 to 8.50", "Quality 7.25 of 10"):
        assert words in shown
    assert [bar.width for bar in bars(STANDING["dimensions"])] == ["72.50"]


def test_events_that_moved_the_score_are_told_in_words_with_what_they_did() -> None:
    shown = standing()
    assert re.search(rf"A dispute was lost .* {MINUS}0.431 A contract was paid out .* \+0.2", shown)
    assert f"Change {MINUS}0.5" in shown


def test_every_kind_of_event_has_its_words() -> None:
    assert set(SENTENCES) == set(FactKind)


def test_standing_without_peers_says_why() -> None:
    assert "Not enough evidence to compare" in standing()


def test_part_that_does_not_answer_leaves_the_rest() -> None:
    shown = standing(history=silent())
    assert "Trend Trend Not available right now. Request req_9" in shown
    assert "Score 7.25" in shown


def test_trend_goes_from_the_oldest_day_to_the_newest() -> None:
    days = [{"day": f"2026-11-0{day}", "score": float(day), "low": 0.0, "high": 10.0} for day in (3, 1, 2)]
    drawn = by_day(days)
    assert drawn is not None
    assert [cells[0] for _label, cells in drawn.rows] == ["1", "2", "3"]


def earnings(**answers: Answer) -> dict[str, Any]:
    usual = {
        "earnings": said({"payable": [], "data": [], "next_cursor": None}),
        "preview": said(ACCOUNT_LESS),
        "payouts": said({"data": []}),
        "config": said({"providers": [{"name": "stripe"}]}),
    }
    return values_of(usual | answers, may_pay_out=True)


def test_account_for_payouts_is_offered_where_stripe_is_set_up() -> None:
    assert earnings()["connects"]
    assert not earnings(config=said({"providers": [{"name": "paypal"}]}))["connects"]
    page = render("earnings/page.html", object_page(here=f"{BASE}/earnings"), **earnings())
    assert f'action="{BASE}/earnings/connect"' in page
    # A country and a currency are chosen by their names.
    assert all(f">{name}</option>" in page for name in ("Austria", "US Dollar (USD)", "Credits"))


def test_payout_is_not_offered_where_it_would_be_refused() -> None:
    shown = earnings(preview=said(ACCOUNT_LESS | {"refused": "payout.below_minimum"}))
    assert (shown["pays_out"], shown["refused"]) == (False, "None.")
    # What the API answers with the call to make, people do with the button beside it.
    assert earnings()["refused"] == "No payout account yet. Connect Stripe to open one."
    assert earnings(preview=said(ACCOUNT_LESS | {"refused": None}))["pays_out"]
    assert not earnings(preview=silent())["pays_out"]


def test_payout_is_asked_about_in_the_currency_in_which_it_leaves() -> None:
    def payable(currency: str, available: str) -> dict[str, str]:
        return {"currency": currency, "available": available, "pending": "1.00", "frozen": "0.00"}

    account = {"destination_currency": "EUR", "destination_last4": "6789"}
    there = [payable("EUR", "20.00"), payable("GBP", "0.00"), payable("USD", "30.00")]
    shown = paying_out({"account": account, "payable": there}, FormState(key="con_1"), f"{BASE}/earnings")
    assert [(name, value.replace("\N{NO-BREAK SPACE}", " ")) for name, value in shown.facts] == [
        ("Available", "20.00 EUR"),
        ("Stays pending", "1.00 EUR"),
        ("Stays in your earnings", "30.00 USD"),
        ("Goes to", "•••• 6789"),
    ]
    assert shown.fields == (("currency", "EUR"),)
    assert "EUR" in shown.effect[1]


def earned(**kinds: tuple[str, str]) -> dict[str, Any]:
    """Return what an agent has earned in credits: of each kind how many, and how many of them can be converted."""
    body: dict[str, Any] = {"agent_id": "agt_1", "agent_name": "Scribe", "currency": "CREDIT"}
    for kind in EarningsKind:
        amount, convertible = kinds.get(kind, ("0.00", "0.00"))
        body[kind] = {"amount": amount, "convertible": convertible, "next_convertible_at": None}
    return body


def test_conversion_is_offered_where_anything_was_earned() -> None:
    def offered(*rows: dict[str, Any]) -> bool:
        values = earnings(earnings=said({"payable": [], "data": rows, "next_cursor": None}))
        may = Permission.CONVERT_EARNINGS
        return "/conversions/new" in render("earnings/page.html", object_page(here=f"{BASE}/earnings"), may, **values)

    parts = dict.fromkeys(("earned", "available", "pending", "frozen", "granted", "paid_out"), "5.00")
    assert (offered(), offered({"agent_id": "agt_1", "agent_name": "Scribe", "asset": "CREDIT", **parts})) == (
        False,
        True,
    )


def test_what_can_be_converted_is_offered_with_its_amount_and_the_rest_is_shown() -> None:
    data = [earned(granted=("5.00", "2.50"), own_work=("1.00", "1.00")), earned(paid=("9.00", "0.00"))]
    rows = tuple(convertible({"data": data}))
    assert [(value, words.replace("\N{NO-BREAK SPACE}", " ")) for value, words in options_of(rows)] == [
        ("agt_1:granted", "Scribe, Paid in granted credits: 2.50 credits"),
        ("agt_1:own_work", "Scribe, Own work: 1.00 credits"),
    ]
    assert [words for _agent, _kind, words, _earned in rows] == ["Paid in granted credits", "Own work", "Paid credits"]


def entry(account: str) -> dict[str, Any]:
    return {"account": account, "organization_id": None, "currency": "CREDIT", "amount": "1", "balance_after": "1"}


def transfer(cause: str, id: str, account: str = "org/org_1/credits") -> dict[str, Any]:
    entry = {"account": account, "organization_id": "org_1", "currency": "CREDIT", "amount": "1", "balance_after": "1"}
    return {
        "id": "tr_1",
        "kind": "escrow.release",
        "reference": id,
        "cause": {"type": cause, "id": id},
        "effective_at": "2026-11-01T00:00:00Z",
        "recorded_at": "2026-11-01T00:00:00Z",
        "entries": [entry],
    }


def visit(org_id: str = "org_1", *, is_platform: bool = False, exists: bool = True) -> Any:
    return SimpleNamespace(org_id=org_id, me=SimpleNamespace(is_platform=is_platform), has_page=lambda _path: exists)


@for_each(
    "cause, href",
    [
        ("escrow", f"{BASE}/escrows/x_1"),
        ("purchase", f"{BASE}/library/x_1"),
        ("payout", f"{BASE}/earnings"),
        ("project", f"{BASE}/projects"),
        ("subscription", f"{BASE}/billing"),
        ("organization", BASE),
        ("reconciliation", ""),
        ("credit_lot", ""),
    ],
)
def test_transfer_leads_to_what_it_was_for_where_that_has_a_page(cause: str, href: str) -> None:
    assert cause_page(visit(), transfer(cause, "x_1")) == href
    assert cause_page(visit(exists=False), transfer(cause, "x_1")) == ""


@for_each(
    "cause, href",
    [
        ("reconciliation", "/console/platform/reconciliation/x_1"),
        ("credit_lot", "/console/platform/credits?organization_id=org_1"),
        ("payment", "/console/platform/payments/x_1"),
        ("escrow", "/console/platform/escrows/x_1"),
    ],
)
def test_transfer_leads_the_platform_to_its_own_pages(cause: str, href: str) -> None:
    assert cause_page(visit(is_platform=True), transfer(cause, "x_1")) == href


def test_transfer_leads_operators_to_the_purchase_of_whoever_bought() -> None:
    def href(*accounts: str) -> str:
        sold = {**transfer("purchase", "pur_1"), "entries": [entry(account) for account in accounts]}
        return cause_page(visit("org_2", is_platform=True), sold)

    assert href("agent/agt_1/earnings/USD", "org/org_1/credits") == "/console/org_1/library/pur_1"
    assert href("agent/agt_1/earnings/USD") == "/console/search?q=pur_1"


@pytest.mark.parametrize(("cause", "id"), [("purchase", "pur_1"), ("payment", "pay_1")])
def test_purchase_and_its_payment_lead_who_bought_to_their_pages_and_not_who_sold(cause: str, id: str) -> None:
    assert cause_page(visit(), transfer(cause, id)).endswith(id)
    assert cause_page(visit(), transfer(cause, id, "agent/agt_1/earnings/CREDIT")) == ""
