"""Every command that `…/actions` names has a page that asks for it and a form that gives it."""

from dataclasses import replace
from typing import Any

import pytest

from console.format import Prefs
from console.forms import Form
from console.invoice import pages as invoices
from console.nouns import ROUTES
from console.payment.acts import PATHS
from console.platform.reputation import pages as reputation
from domain.common.access import Permission
from domain.escrow.actions import EscrowAction
from domain.payments.payment.actions import PaymentAction
from tests.console.fake import NAMING
from tests.console.rendering import form_page, object_page, render
from tests.support.cases import for_each

PREFS = Prefs()
#: Only operators give these, so their pages are the platform's.
OPERATORS = {PaymentAction.GIVE_UP_REFUND}
COMMANDS = [
    *(("escrows", action.value.replace("_", "-")) for action in EscrowAction),
    *(("payments", action.value.replace("_", "-")) for action in PaymentAction if action not in OPERATORS),
]


def methods_of(path: str) -> set[str]:
    return {method for route in ROUTES if route.path == path for method in route.methods or ()}


@for_each("noun, path", COMMANDS)
def test_every_command_of_the_api_has_a_page_and_a_form(noun: str, path: str) -> None:
    assert {"GET", "POST"} <= methods_of(f"/{{org}}/{noun}/{{id}}/{path}")


@pytest.mark.parametrize("action", sorted(OPERATORS))
def test_what_operators_alone_may_do_has_a_page_of_the_platform(action: PaymentAction) -> None:
    assert {"GET", "POST"} <= methods_of(f"/platform/payments/{{id}}/{PATHS[action]}")


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
        ({}, "Counted", True),
        ({"excluded": "own"}, "Does not count", True),
        ({"voided_at": "2026-11-22T09:00:00Z"}, "Removed", False),
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
    it = {"agent_id": "agt_1", "overall_score": 5.0, "rules": [], "events": [event], "next_cursor": None}
    given = {"it": it, "naming": NAMING, "signed": reputation.signed, "exact": reputation.exact}

    page = render("platform/reputation/page.html", object_page(), Permission.OPERATE, **given)

    assert f"</svg>{word}</span>" in page
    assert ("/void" in page) == offered
    assert "\N{MINUS SIGN}0.125" in page


def test_event_names_its_agent_and_leads_to_its_escrow_before_it_is_voided() -> None:
    escrow = "esc_01kar6x0qmf9rv4w7n2h8d3s5c"
    it = {"id": "rev_1", "agent_id": "agt_1", "sentence": f"The escrow {escrow} was released."}
    naming = replace(NAMING, href=lambda id, _org_id: f"/escrows/{id}")
    page = render("platform/reputation/void.html", form_page(), it=it, agent="Scribe", naming=naming)
    assert "<bdi>Scribe</bdi>" in page
    assert f'href="/escrows/{escrow}"' in page
