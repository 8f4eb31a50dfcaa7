"""Documents add up, or are not made; and say what an electronic invoice would lack."""

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
from domain.billing.document.words import _LABELS, EXEMPTIONS, LANGUAGES
from tests.support.cases import for_each
from tests.support.documents import REVERSE, STANDARD, credit_note, invoice, receipt, statement

OUTSIDE = Tax(category="O")


def test_a_document_comes_to_its_lines_and_taxes_less_what_is_paid() -> None:
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
def test_what_does_not_add_up_cannot_be_made(wrong: dict[str, Any]) -> None:
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
def test_what_an_electronic_invoice_would_lack_is_named(document: Document, missing: list[str]) -> None:
    assert list(missing_for_einvoice(document)) == missing


def test_every_label_and_exemption_has_a_word_in_every_language() -> None:
    for words in (*_LABELS.values(), *EXEMPTIONS.values()):
        assert set(words) == set(LANGUAGES)
    assert {kind.value for kind in DocumentKind} <= set(_LABELS)


def test_what_is_stored_is_plain() -> None:
    stored = invoice().as_stored()
    assert (stored["issued_on"], stored["lines"][0]["period"]) == ("2026-11-01", ["2026-10-01", "2026-11-01"])
    assert stored["kind"] == "invoice"


@pytest.mark.parametrize("made", [invoice(4), credit_note(), receipt(), statement(stated_tax="no_profile")])
def test_what_was_stored_reads_as_it_was_made(made: Document) -> None:
    assert Document.restored(json.loads(json.dumps(made.as_stored()))) == made
