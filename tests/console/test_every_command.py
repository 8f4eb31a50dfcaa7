"""Every command that `…/actions` names has a page that asks for it and a form that gives it."""

from typing import Any

import pytest

from console.format import Prefs
from console.forms import Form, FormState, blank
from console.invoice import pages as invoices
from console.nouns import ROUTES
from console.payment import acts as payments
from console.platform.reputation import view as reputation
from domain.escrow.actions import EscrowAction
from domain.payments.payment.actions import PaymentAction
from tests.support.cases import for_each

PREFS = Prefs()
#: Only operators give these, so their pages are the platform's.
OPERATORS = {PaymentAction.GIVE_UP_REFUND}
COMMANDS = [
    *(("escrows", action.value.replace("_", "-")) for action in EscrowAction),
    *(("payments", action.value.replace("_", "-")) for action in PaymentAction if action not in OPERATORS),
]
NOTHING = {"amount": "0.00", "currency": "USD"}
EFFECT = {"captured": "0.00", "to_payer": "0.00", "released": "0.00", "currency": "USD", "taken": NOTHING}
GIVE_UP: dict[str, Any] = {"action": "give_up_refund", "allowed": True, "reason": None, "effect": EFFECT}


def methods_of(path: str) -> set[str]:
    return {method for route in ROUTES if route.path == path for method in route.methods or ()}


@for_each("noun, path", COMMANDS)
def test_every_command_of_the_api_has_a_page_and_a_form(noun: str, path: str) -> None:
    assert {"GET", "POST"} <= methods_of(f"/{{org}}/{noun}/{{id}}/{path}")


@pytest.mark.parametrize("action", sorted(OPERATORS))
def test_what_operators_alone_may_do_has_a_page_of_the_platform(action: PaymentAction) -> None:
    assert {"GET", "POST"} <= methods_of(f"/platform/payments/{{id}}/{payments.PATHS[action]}")


def test_refund_of_unknown_outcome_is_given_up_by_its_id() -> None:
    refunds = [{"id": "rfd_1", "status": "succeeded"}, {"id": "rfd_2", "status": "unknown"}]
    payment = {"refunds": refunds, "description": "Credits", "currency": "USD", "invoice_id": None}

    page = payments.asking(GIVE_UP, payment, blank(), PREFS, "/console/org_1/payments/pay_1", sent="", entry=None)

    assert page.act.href == "/console/platform/payments/pay_1/give-up-refund"
    assert page.refund == "rfd_2"
    assert [value for value, _, _ in page.where] == ["no", "yes"]


def test_draft_has_the_lines_that_were_filled_and_numbers_as_numbers() -> None:
    form = Form(
        values={"organization_id": "org_1", "currency": "USD", "description_2": "Work", "unit_amount_2": "9.50"}
    )

    assert invoices.draft(form)["lines"] == [{"description": "Work", "quantity": 1, "unit_amount": "9.50"}]
    assert invoices.names(form)["lines.0.unit_amount"] == "unit_amount_2"


def test_period_to_pay_is_sent_in_days_and_left_out_where_nothing_was_typed() -> None:
    assert invoices.draft(Form(values={"due_days": "14"}))["due_in"] == "P14D"
    assert "due_in" not in invoices.draft(Form(values={}))


@pytest.mark.parametrize(
    ("changes", "word", "offered"),
    [
        ({}, "Counts", True),
        ({"excluded": "own"}, "Does not count", True),
        ({"voided_at": "2026-11-22T09:00:00Z"}, "Void", False),
    ],
)
def test_evidence_says_whether_it_counts_and_is_voided_once(changes: dict[str, Any], word: str, offered: bool) -> None:
    event = {
        "id": "rev_1",
        "at": "2026-11-22T09:00:00Z",
        "sentence": "A contract was paid out.",
        "weight": 1.5,
        "score_delta": -0.125,
        "excluded": None,
        "voided_at": None,
        **changes,
    }
    body = {"overall_score": 5.0, "rules": [], "events": [event], "next_cursor": None}

    (row,) = reputation.evidence("agt_1", "Scribe", body, PREFS, lambda _: "", may_void=True).events

    assert (row.status.word, bool(row.void), row.moved) == (word, offered, "\N{MINUS SIGN}0.125")


def test_event_names_its_agent_and_leads_to_its_escrow_before_it_is_voided() -> None:
    escrow = "esc_01kar6x0qmf9rv4w7n2h8d3s5c"
    body = {"id": "rev_1", "agent_id": "agt_1", "sentence": f"The escrow {escrow} was released."}
    page = reputation.voiding(body, "Scribe", FormState(key="con_1"), PREFS, lambda id: f"/escrows/{id}")
    assert (page.agent, [each.href for each in page.sentence if each.id]) == ("Scribe", [f"/escrows/{escrow}"])
