"""The page of an invoice says who is billed, why there is no tax, and when it was paid."""

import re
from typing import Any

import pytest

from console.invoice.pages import called, remarks
from domain.common.access import Permission
from tests.console.rendering import BASE, object_page, render

HERE = f"{BASE}/invoices/1"
BILLED = {
    **{"name": "Acme Ltd", "line1": "1 Main Street", "line2": None, "postal_code": "10115", "city": "Berlin"},
    **{"country": "DE", "vat_id": "DE136695976"},
}
AMOUNTS = (
    *("subtotal", "total", "due", "granted_credits", "taxed_credits", "applied_credits", "rounding", "credited"),
    *("written_off", "paid"),
)
INVOICE: dict[str, Any] = {
    **dict.fromkeys(AMOUNTS, "0.00"),
    **{name: [] for name in ("lines", "discounts", "taxes", "payments", "credit_notes")},
    **{"id": "inv_01h455vb4pex5vsknk084sn02q", "number": "INV-1", "status": "open", "overdue": False},
    **{"currency": "USD", "subtotal": "10.00", "due": "10.00", "paused_for": None, "note": None},
    **{"issued_at": "2026-11-01T00:00:00Z", "due_at": "2026-11-15T00:00:00Z", "paid_at": None, "billed_to": BILLED},
}


LINE = {
    "description": "Work",
    **{"quantity": 2, "unit_amount": "5.00", "net": "10.00", "period_start": None, "period_end": None},
    **{"tax": "0.00", "tax_rate": "0", "tax_category": "AE"},
}


def shown(*permissions: Permission, pays: bool = True, **changes: Any) -> str:
    """Return the words of the page of an invoice, and its links."""
    it = {**INVOICE, **changes}
    page = object_page(title=called(it), here=HERE)
    text = render("invoice/page.html", page, *permissions, it=it, pays=pays, remarks=remarks)
    words = re.sub(r"<(?!a )[^>]+>", " ", text[text.index("<main") :]).replace("\N{NO-BREAK SPACE}", " ")
    return " ".join(words.replace("&nbsp;", " ").split())


def tax(category: str) -> dict[str, str]:
    return {"code": "access", "category": category, "rate": "0", "taxable": "10.00", "amount": "0.00"}


def test_buyer_is_named_with_its_address_and_tax_id() -> None:
    assert "Acme Ltd 1 Main Street 10115 Berlin Germany VAT ID: DE136695976" in shown()
    entered_at = f'<a href="{BASE}/settings/billing">Add address'
    assert entered_at not in shown()
    assert entered_at in shown(billed_to={**BILLED, "line1": None})
    assert entered_at not in shown(pays=False, billed_to={**BILLED, "line1": None})


@pytest.mark.parametrize(
    ("taxes", "said"),
    [
        ([], ("The seller charges no tax on this.",)),
        ([tax("O")], ("The seller charges no tax on this.",)),
        ([tax("AE")], ("Reverse charge: the recipient owes the tax (Article 196 of Directive 2006/112/EC).",)),
        ([tax("E")], ("Exempt from tax.",)),
        ([tax("S")], ()),
    ],
)
def test_reason_for_no_tax_is_that_of_the_document(taxes: list[dict[str, str]], said: tuple[str, ...]) -> None:
    assert remarks({**INVOICE, "taxes": taxes}) == said


def test_lines_and_sums_lead_to_what_is_due() -> None:
    discount = {"description": "Launch", "amount": "2.00", "share": None, "taken": "2.00"}
    sums = {"subtotal": "8.00", "total": "8.00", "paid": "3.00", "due": "5.00"}
    assert (
        "Work 2 5.00 USD 0% (reverse charge) 10.00 USD Launch \N{MINUS SIGN}2.00 USD Subtotal 8.00 USD "
        "Tax 0% (reverse charge) 0.00 USD Total 8.00 USD Paid \N{MINUS SIGN}3.00 USD Due 5.00 USD"
    ) in shown(lines=[LINE], discounts=[discount], taxes=[tax("AE")], **sums)


def test_paid_invoice_says_when_and_offers_no_payment() -> None:
    paid = shown(status="paid", due="0.00", paid_at="2026-11-09T12:00:00Z")
    assert re.search("Paid Nov 9, 2026, .* nothing is due", paid)
    assert f"{HERE}/pay" not in paid
    assert f'href="{HERE}/pay">Pay 10.00 USD' in shown()


@pytest.mark.parametrize(
    ("changes", "offered"),
    [({}, {"void"}), ({"paid": "1.00"}, set()), ({"status": "draft"}, {"finalize", "discard"})],
)
def test_operators_are_offered_what_the_status_allows(changes: dict[str, str], offered: set[str]) -> None:
    page = shown(Permission.OPERATE, pays=False, **changes)
    assert {each for each in ("void", "finalize", "discard") if f'/{each}"' in page} == offered
    assert not {each for each in offered if f'/{each}"' in shown(**changes)}
