"""A fact is named as a customer would, leads to its object, and shows the one amount that stands for it."""

from typing import Any

import pytest

from console.transaction import facts
from domain.payouts.activity import Category
from tests.console.fake import ORG
from tests.console.rendering import BASE, list_page, render
from tests.support.cases import for_each

Json = dict[str, Any]
PARTS = ("total", "available", "in_use", "in_escrow", "in_payments", "in_payouts", "earnings", "owed", "invoiced")
ESCROW: tuple[Category, tuple[str, str | None]] = (Category.ESCROW, ("escrow", "Translate"))
WHO = dict.fromkeys(("agent_id", "agent_name", "payee_agent_id", "payee_agent_name", "principal"))


def fact(kind: str, category: Category, about: tuple[str, str | None] | None, **more: Any) -> Json:
    """Return a fact about an object of a type, with its name; `more` has what changed, in credits, and who did it."""
    changed = {part: more.pop(part, "0.00") for part in PARTS}
    what = None if about is None else {"type": about[0], "id": "x_1", "name": about[1], "amount": "25.00"}
    return {
        **{"id": "tr_1", "kind": kind, "category": category.value, "status": more.pop("status", "completed")},
        **dict.fromkeys(("started_at", "effective_at", "recorded_at"), "2026-11-20T10:00:00Z"),
        **{"object": what and {**what, "currency": "USD"}, "changes": [{"currency": "CREDIT", **changed}]},
        **WHO,
        **more,
    }


@pytest.mark.parametrize(
    ("said", "title", "about", "moved"),
    [
        (
            fact("payment.received", Category.PAYMENT, ("payment", "credits"), available="250.00"),
            *("Top-up", "25.00\N{NO-BREAK SPACE}USD", ("250.00", "")),
        ),
        (
            fact("escrow.funded", *ESCROW, available="-120.00", in_escrow="120.00", status="pending"),
            *("Translate", "", ("-120.00", "in escrow")),
        ),
        (
            fact("escrow.funded", *ESCROW, in_payments="-120.00", in_escrow="120.00", status="pending"),
            *("Translate", "", ("-120.00", "in escrow")),
        ),
        (
            fact("escrow.released", *ESCROW, available="-120.00", in_escrow="20.00", status="pending"),
            *("Translate", "", ("-120.00", "20.00\N{NO-BREAK SPACE}credits in escrow")),
        ),
        (fact("escrow.released", *ESCROW, available="-120.00"), *("Translate", "", ("-120.00", ""))),
        (fact("escrow.refunded", *ESCROW, status="reversed"), *("Translate", "", ("25.00", "returned"))),
        (fact("escrow.released", *ESCROW, earnings="114.00"), *("Translate", "", ("114.00", "earned"))),
        (
            fact("payout.requested", Category.EARNINGS, ("payout", None), earnings="-9.00", in_payouts="9.00"),
            *("Payout", "", ("-9.00", "")),
        ),
        (
            fact("use", Category.USE, ("spend", "generate_content"), available="-4.50", principal="kim"),
            *("Generate content", "", ("-4.50", "")),
        ),
        (
            fact("use", Category.MARKETPLACE, ("purchase", "Scribe"), available="-50.00", payee_agent_name="Scribe"),
            *("Purchase of Scribe", "", ("-50.00", "")),
        ),
        (
            fact(
                "payment.agent_bought",
                Category.PAYMENT,
                ("agent", "Scribe"),
                earnings="9.00",
                payee_agent_name="Scribe",
            ),
            *("Sale of Scribe", "", ("9.00", "earned")),
        ),
        (
            fact("invoice.issued", Category.BILLING, ("invoice", "Starter, November"), invoiced="29.00"),
            *("Starter, November", "", ("-29.00", "invoiced")),
        ),
        (
            fact("credit.grant", Category.CREDITS, ("credit_lot", "signup"), available="100.00"),
            *("Signup bonus", "", ("100.00", "")),
        ),
        (
            fact("odd.kind_of", Category.OTHER, None, owed="3.00"),
            *("Odd: kind of", "", ("-3.00", "debt")),
        ),
    ],
)
def test_fact_is_named_and_has_the_amount_that_stands_for_it(
    said: Json, title: str, about: str, moved: tuple[str, str]
) -> None:
    assert (facts.title(said), facts.about(said)) == (title, about)
    assert [(value, note) for value, _currency, note in facts.moved(said)] == [moved]


def listed(said: Json) -> str:
    return render("transaction/list.html", list_page(), rows=[said], facts=facts)


def test_fact_leads_to_its_object_and_to_its_transfer() -> None:
    page = listed(fact("use", Category.USE, ("spend", "index"), available="-4.50"))
    assert (f'class="row" href="{BASE}/of/x_1"' in page, f'"{BASE}/transactions/tr_1"' in page) == (True, True)
    assert f'class="row" href="{BASE}/transactions/tr_1"' in listed(fact("odd.kind", Category.OTHER, None, owed="3.00"))


def test_agent_that_used_credits_is_named_and_not_for_their_refund() -> None:
    of = Category.USE, ("spend", "index")
    used = fact("use", *of, agent_name="Scribe", principal=f"{ORG}/scribe-key")
    assert ">Scribe<" in listed(used)
    assert ">Scribe<" not in listed({**used, "kind": "use_refund", "principal": None})


def test_what_only_passed_through_has_no_amount() -> None:
    passed = fact("payment.received", Category.PAYMENT, ("payment", "purchase"))
    assert facts.moved(passed) == ()
    assert "passed on" in listed(passed)


@for_each("category", list(Category))
def test_every_category_has_words(category: Category) -> None:
    assert facts.CATEGORIES[category]
