"""Agents, their standing, earnings and transfers are shown as the API tells them."""

import re
from datetime import UTC, datetime
from typing import Any

import pytest

from console.earnings import conversion
from console.earnings.view import page as earnings_page, paying_out
from console.format import MINUS, Prefs
from console.forms import FormState
from console.gateway import Answer, Problem
from console.reputation.scores import DIMENSIONS, bars, by_day, signed
from console.status import Status, Tone
from console.transaction import one
from domain.payouts.earnings import EarningsKind
from domain.reputation.facts import SENTENCES, FactKind
from tests.console.answering import said
from tests.console.fake import NAMING
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
    for words in ("Stars 3.6 Of 5", "Score 7.25 Of 10; 90 % interval: 6.00 to 8.50", "Quality 7.25 of 10"):
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
    assert [row.cells[0] for row in drawn.rows] == ["1", "2", "3"]


def earnings(**answers: Answer) -> Any:
    usual = {
        "earnings": said({"payable": [], "data": [], "next_cursor": None}),
        "preview": said(ACCOUNT_LESS),
        "payouts": said({"data": []}),
        "config": said({"providers": [{"name": "stripe"}]}),
    }
    return earnings_page(
        usual | answers, FormState(key="con_1"), Prefs(), BASE, NOW, may_pay_out=True, may_convert=True
    )


def test_account_for_payouts_is_offered_where_stripe_is_set_up() -> None:
    assert earnings().connect == f"{BASE}/earnings/connect"
    assert earnings(config=said({"providers": [{"name": "paypal"}]})).connect == ""


def test_payout_is_not_offered_where_it_would_be_refused() -> None:
    shown = earnings(preview=said(ACCOUNT_LESS | {"refused": "payout.below_minimum"}))
    assert (shown.pay_out, shown.refused) == ("", "None.")
    # What the API answers with the call to make, people do with the button beside it.
    assert earnings().refused == "No payout account yet. Connect Stripe to open one."
    assert earnings(preview=said(ACCOUNT_LESS | {"refused": None})).pay_out == f"{BASE}/earnings/payouts/new"


def test_payout_is_not_offered_while_it_is_not_known_whether_it_can_be() -> None:
    assert earnings(preview=silent()).pay_out == ""


def test_payout_is_asked_about_in_the_currency_in_which_it_leaves() -> None:
    def payable(currency: str, available: str) -> dict[str, str]:
        return {"currency": currency, "available": available, "pending": "1.00", "frozen": "0.00"}

    account = {"destination_currency": "EUR", "destination_last4": "6789"}
    there = [payable("EUR", "20.00"), payable("GBP", "0.00"), payable("USD", "30.00")]
    preview = {"account": account, "payable": there}
    shown = paying_out(preview, FormState(key="con_1"), Prefs(), BASE)
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
    assert earnings().convert == ""
    parts = dict.fromkeys(("earned", "available", "pending", "frozen", "granted", "paid_out"), "5.00")
    row = {"agent_id": "agt_1", "agent_name": "Scribe", "asset": "CREDIT", **parts}
    assert (
        earnings(earnings=said({"payable": [], "data": [row], "next_cursor": None})).convert
        == f"{BASE}/earnings/conversions/new"
    )


def test_what_can_be_converted_is_offered_with_its_amount_and_the_rest_is_shown() -> None:
    data = [earned(granted=("5.00", "2.50"), own_work=("1.00", "1.00")), earned(paid=("9.00", "0.00"))]
    shown = conversion.page({"data": data, "next_cursor": None}, FormState(key="con_1"), Prefs(), BASE)
    assert [(value, words.replace("\N{NO-BREAK SPACE}", " ")) for value, words in shown.choices] == [
        ("agt_1:granted", "Scribe, paid in granted credits: 2.50 credits"),
        ("agt_1:own_work", "Scribe, own work: 1.00 credits"),
    ]
    assert [row.kind for row in shown.rows] == ["Paid in granted credits", "Own work", "Paid credits"]


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
    assert one.page(transfer(cause, "x_1"), NAMING, BASE, "org_1", lambda path: True).cause_href == href
    assert one.page(transfer(cause, "x_1"), NAMING, BASE, "org_1", lambda path: False).cause_href == ""


def test_transfer_leads_the_platform_to_its_own_pages() -> None:
    def href(cause: str) -> str:
        shown = one.page(transfer(cause, "x_1"), NAMING, BASE, "org_1", lambda path: True, is_platform=True)
        return shown.cause_href

    assert href("reconciliation") == "/console/platform/reconciliation/x_1"
    assert href("credit_lot") == "/console/platform/credits?organization_id=org_1"
    for noun in ("payment", "invoice", "escrow"):
        assert href(noun) == f"/console/platform/{noun}s/x_1"


def test_transfer_leads_operators_to_the_purchase_of_whoever_bought() -> None:
    def href(*accounts: str) -> str:
        sold = {**transfer("purchase", "pur_1"), "entries": [entry(account) for account in accounts]}
        return one.page(sold, NAMING, BASE, "org_2", lambda path: True, is_platform=True).cause_href

    assert href("agent/agt_1/earnings/USD", "org/org_1/credits") == "/console/org_1/library/pur_1"
    assert href("agent/agt_1/earnings/USD") == "/console/search?q=pur_1"


def test_transfer_leads_operators_to_the_organizations_of_its_entries() -> None:
    (one_entry,) = one.page(
        {**transfer("escrow", "esc_1"), "entries": [{**entry("agent/agt_1/earnings/USD"), "organization_id": "org_1"}]},
        NAMING, BASE, "org_2", lambda path: True, is_platform=True,
    ).entries  # fmt: skip
    assert one_entry.whose_href == "/console/platform/organizations/org_1"


@pytest.mark.parametrize(("cause", "id"), [("purchase", "pur_1"), ("payment", "pay_1")])
def test_purchase_and_its_payment_lead_who_bought_to_their_pages_and_not_who_sold(cause: str, id: str) -> None:
    assert one.page(transfer(cause, id), NAMING, BASE, "org_1", lambda path: True).cause_href.endswith(id)
    sold = transfer(cause, id, "agent/agt_1/earnings/CREDIT")
    assert one.page(sold, NAMING, BASE, "org_1", lambda path: True).cause_href == ""
