"""Documents add up, or are not made; and name the fields that an electronic invoice would lack."""

import json
from typing import Any

import pytest

from domain.billing.document.content import (
    Document,
    DocumentKind,
    DocumentLine,
    Party,
    Tax,
    TaxSum,
    missing_for_einvoice,
)
from domain.billing.document.words import _LABELS, CREDITS, EXEMPTIONS, NO_TAX, RECEIPT_NOTE
from domain.common.mail import LANGUAGES
from tests.support.cases import for_each
from tests.support.documents import REVERSE, STANDARD, credit_note, invoice, receipt, statement

OUTSIDE = Tax(category="O")


def test_total_of_a_document_is_its_lines_and_taxes_less_payments() -> None:
    made = invoice(3, prepaid_minor=200, paid_minor=50)
    assert made.subtotal_minor == 75 + 324 + 597
    assert made.tax_minor == 128 + 23
    assert made.due_minor == made.subtotal_minor + made.tax_minor - 250


@pytest.mark.parametrize(
    "wrong",
    [
        {"taxes": (TaxSum(tax=STANDARD, taxable_minor=74, tax_minor=14),)},
        {"taxes": (TaxSum(tax=REVERSE, taxable_minor=0, tax_minor=0),)},
        {"prepaid_minor": 90},
        {"paid_minor": -100},
        {"language": "tlh"},
    ],
)
def test_document_that_does_not_add_up_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"tax|paid|written"):
        invoice(1, **wrong)


@for_each(
    "document, missing",
    [
        (invoice(), []),
        (credit_note(), []),
        (receipt(), ["kind", "taxes"]),
        (statement(), ["kind"]),
        (invoice(buyer=Party(name="Acme"), currency="BTC"), ["buyer.country", "currency"]),
        (invoice(seller=Party(name="Us", country="DE")), ["seller.vat_id"]),
        (invoice(seller=Party(name="Us", country="DE", tax_number="12/345")), ["seller.registration"]),
        (invoice(seller=Party(name="Us", country="DE", tax_number="12/345", registration="HRB 1")), []),
        (invoice(rates=(REVERSE,), buyer=Party(name="Acme", country="FR")), ["buyer.vat_id"]),
        # EN 16931 has two decimals at most, and nothing beside what is outside of the tax.
        (invoice(currency="KWD"), ["currency"]),
        (invoice(2, rates=(STANDARD, OUTSIDE)), ["taxes"]),
        (invoice(lines=(DocumentLine(description="x", net_minor=100),), taxes=()), ["taxes"]),
    ],
)
def test_missing_requirements_of_an_electronic_invoice_are_listed(document: Document, missing: list[str]) -> None:
    assert list(missing_for_einvoice(document)) == missing


def test_every_label_and_exemption_has_a_word_in_every_language() -> None:
    notes = (CREDITS, NO_TAX, RECEIPT_NOTE)
    for words in (*_LABELS.values(), *EXEMPTIONS.values(), *notes):
        assert set(words) == set(LANGUAGES)
    assert {kind.value for kind in DocumentKind} <= set(_LABELS)


def test_stored_document_is_plain_json() -> None:
    stored = invoice().as_stored()
    assert (stored["issued_on"], stored["lines"][0]["period"]) == ("2026-11-01", ["2026-10-01", "2026-11-01"])
    assert stored["kind"] == "invoice"


@pytest.mark.parametrize("made", [invoice(4), credit_note(), receipt(), statement(stated_tax="no_profile")])
def test_stored_document_round_trips(made: Document) -> None:
    assert Document.restored(json.loads(json.dumps(made.as_stored()))) == made
