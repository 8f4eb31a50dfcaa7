"""A fact is named as a customer would, leads to its object, and shows the one amount that stands for it."""

from typing import Any

import pytest

from console.format import Prefs
from console.transaction.facts import CATEGORIES, FactRow, Pages, row
from domain.payouts.activity import Category
from tests.console.fake import ORG
from tests.support.cases import for_each

BASE = f"/console/{ORG}"
TRANSFER = f"{BASE}/transactions/tr_1"
PAGES = Pages(base=BASE, org_id=ORG, has_page=lambda _: True, is_platform=False)
PARTS = ("available", "in_use", "in_escrow", "in_payments", "in_payouts", "earnings", "owed", "invoiced")
WHO = dict.fromkeys(("agent_id", "agent_name", "payee_agent_id", "payee_agent_name", "principal"))


def shown(kind: str, category: Category, about: tuple[str, str | None] | None, **more: Any) -> FactRow:
    """Show a fact about an object of a type, with its name; `more` has what changed, in credits, and who did it."""
    changed = {part: more.pop(part, "0.00") for part in PARTS}
    what = None if about is None else {"type": about[0], "id": "x_1", "name": about[1], "amount": "25.00"}
    fact = {
        **{"id": "tr_1", "kind": kind, "category": category.value, "effective_at": "2026-11-20T10:00:00Z"},
        **{"object": what and {**what, "currency": "USD"}, "changes": [{"currency": "CREDIT", **changed}]},
    }
    return row({**fact, **WHO, **more}, PAGES, Prefs())


@pytest.mark.parametrize(
    ("fact", "title", "about", "page", "moved"),
    [
        (
            shown("payment.received", Category.PAYMENT, ("payment", "credits"), available="250.00"),
            *("Top-up", "25.00\N{NO-BREAK SPACE}USD", f"{BASE}/payments/x_1", ("+250.00", "")),
        ),
        (
            shown("escrow.funded", Category.ESCROW, ("escrow", "Translate"), available="-120.00", in_escrow="120.00"),
            *("Translate", "", f"{BASE}/escrows/x_1", ("\N{MINUS SIGN}120.00", "in escrow")),
        ),
        (
            shown("escrow.funded", Category.ESCROW, ("escrow", "Translate"), in_payments="-120.00", in_escrow="120.00"),
            *("Translate", "", f"{BASE}/escrows/x_1", ("\N{MINUS SIGN}120.00", "in escrow")),
        ),
        (
            shown("escrow.released", Category.ESCROW, ("escrow", "Translate"), earnings="114.00"),
            *("Translate", "", f"{BASE}/escrows/x_1", ("+114.00", "earned")),
        ),
        (
            shown("use", Category.USE, ("spend", "generate_content"), available="-4.50", principal="kim"),
            *("Use of generate_content", "", f"{BASE}/usage/x_1", ("\N{MINUS SIGN}4.50", "")),
        ),
        (
            shown("use", Category.MARKETPLACE, ("purchase", "Scribe"), available="-50.00", payee_agent_name="Scribe"),
            *("Purchase of Scribe", "", f"{BASE}/library/x_1", ("\N{MINUS SIGN}50.00", "")),
        ),
        (
            shown(
                "payment.agent_bought",
                Category.PAYMENT,
                ("agent", "Scribe"),
                earnings="9.00",
                payee_agent_name="Scribe",
            ),
            *("Sale of Scribe", "", f"{BASE}/agents/x_1", ("+9.00", "earned")),
        ),
        (
            shown("invoice.issued", Category.BILLING, ("invoice", "Starter, November"), invoiced="29.00"),
            *("Starter, November", "", f"{BASE}/invoices/x_1", ("\N{MINUS SIGN}29.00", "invoiced")),
        ),
        (
            shown("credit.grant", Category.CREDITS, ("credit_lot", "signup"), available="100.00"),
            *("Signup bonus", "", TRANSFER, ("+100.00", "")),
        ),
        (
            shown("odd.kind_of", Category.OTHER, None, owed="3.00"),
            *("Odd: kind of", "", TRANSFER, ("\N{MINUS SIGN}3.00", "debt")),
        ),
    ],
)
def test_fact_is_named_and_leads_to_its_object(
    fact: FactRow, title: str, about: str, page: str, moved: tuple[str, str]
) -> None:
    assert (fact.title, fact.about, fact.href) == (title, about, page)
    assert [(each.amount.number, each.note) for each in fact.moved] == [moved]
    assert fact.entries == ("" if page == TRANSFER else TRANSFER)


def test_agent_that_used_credits_is_named_and_not_for_their_refund() -> None:
    of = Category.USE, ("spend", "index")
    assert shown("use", *of, agent_name="Scribe", principal="scribe-key").by == "Scribe"
    assert shown("use_refund", *of, agent_name="Scribe").by == ""


def test_what_only_passed_through_has_no_amount() -> None:
    assert shown("payment.received", Category.PAYMENT, ("payment", "purchase")).moved == ()


@for_each("category", list(Category))
def test_every_category_has_words(category: Category) -> None:
    assert CATEGORIES[category]
