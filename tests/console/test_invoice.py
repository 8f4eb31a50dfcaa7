"""The page of an invoice says who is billed, why there is no tax, and when it was paid."""

from typing import Any

import pytest

from console.format import Prefs
from console.forms import blank
from console.invoice import view
from tests.console.fake import ORG

BASE = f"/console/{ORG}"
BILLED = {
    "name": "Acme Ltd",
    "line1": "1 Main Street",
    "line2": None,
    "postal_code": "10115",
    "city": "Berlin",
    "country": "DE",
    "vat_id": "DE136695976",
}
AMOUNTS = (
    *("subtotal", "total", "due", "granted_credits", "taxed_credits", "applied_credits", "rounding", "credited"),
    *("written_off", "paid"),
)
INVOICE: dict[str, Any] = {
    "id": "inv_01h455vb4pex5vsknk084sn02q",
    "number": "INV-1",
    "status": "open",
    "overdue": False,
    "paused_for": None,
    "currency": "USD",
    **dict.fromkeys(AMOUNTS, "0.00"),
    "due": "10.00",
    "note": None,
    "lines": [],
    "discounts": [],
    "taxes": [],
    "payments": [],
    "credit_notes": [],
    "issued_at": "2026-11-01T00:00:00Z",
    "due_at": "2026-11-15T00:00:00Z",
    "billed_to": BILLED,
    "paid_at": None,
}


def page(**changes: Any) -> view.One:
    return view.one({**INVOICE, **changes}, blank(), Prefs(), BASE, may_pay=True, may_void=False)


def tax(category: str) -> dict[str, str]:
    return {"code": "access", "category": category, "rate": "0", "taxable": "10.00", "amount": "0.00"}


def test_buyer_is_named_with_its_address_and_tax_id() -> None:
    assert page().billed_to.lines == ("Acme Ltd", "1 Main Street", "10115 Berlin", "DE", "VAT ID: DE136695976")
    assert page().billed_to.missing == ""
    assert page(billed_to={**BILLED, "line1": None}).billed_to.missing == f"{BASE}/settings/billing"


@pytest.mark.parametrize(
    ("taxes", "said"),
    [
        ([], "The seller charges no tax on this."),
        ([tax("O")], "The seller charges no tax on this."),
        ([tax("AE")], "Reverse charge: the recipient owes the tax (Article 196 of Directive 2006/112/EC)."),
        ([tax("E")], "Exempt from tax."),
    ],
)
def test_reason_for_no_tax_is_that_of_the_document(taxes: list[dict[str, str]], said: str) -> None:
    assert page(taxes=taxes).remarks == (said,)


def test_tax_that_is_charged_needs_no_reason() -> None:
    assert page(taxes=[tax("S")]).remarks == ()


def test_paid_invoice_says_when_and_offers_no_payment() -> None:
    paid = page(status="paid", due="0.00", paid_at="2026-11-09T12:00:00Z")
    assert paid.paid_at is not None
    assert paid.paid_at.text.startswith("Nov 9, 2026")
    assert (paid.pay, paid.is_due) == ("", False)
