"""Electronic invoices of EN 16931 in the syntax of UN/CEFACT (CII), by themselves or inside a PDF (Factur-X).

The names in quotes are the business terms of EN 16931: `BT-1` is the number of an invoice.
"""

from collections.abc import Mapping
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from facturx import generate_cii_xml, generate_from_binary, xml_check_xsd

from domain.billing.document.content import Document, DocumentKind, DocumentLine, Party, Tax, missing_for_einvoice
from domain.billing.document.words import EXEMPTIONS, title_of
from domain.common.money import format_amount
from domain.common.text import as_xml

LEVEL = "en16931"
#: UNTDID 1001: a commercial invoice, and a credit note.
_TYPES = {DocumentKind.INVOICE: "380", DocumentKind.CREDIT_NOTE: "381"}
#: UN/ECE recommendation 20: one.
_PIECE = "C62"
_DISCOUNT = "95"


class NoEInvoice(ValueError):
    """The document lacks what an electronic invoice must have; the text lists it."""


def invoice_xml(document: Document) -> bytes:
    """Return the electronic invoice, checked against the schema of its profile.

    Raises:
        NoEInvoice: the document lacks what it must have.
    """
    missing = missing_for_einvoice(document)
    if missing:
        raise NoEInvoice(", ".join(missing))
    made: bytes = generate_cii_xml(_written(_terms(document)), level=LEVEL, check_xsd=False, check_schematron=False)
    xml_check_xsd(made, flavor="factur-x", level=LEVEL)
    return made


def embed_invoice(pdf: bytes, xml: bytes, document: Document) -> bytes:
    """Return the PDF with the electronic invoice in it, as Factur-X asks for."""
    title = f"{title_of(document.kind, document.language)} {document.number}"
    made: bytes = generate_from_binary(
        pdf,
        xml,
        flavor="factur-x",
        level=LEVEL,
        check_xsd=False,
        lang=document.language,
        afrelationship="alternative",
        pdf_metadata={"author": as_xml(document.seller.name), "keywords": "Factur-X", "title": title, "subject": title},
    )
    return made


def _terms(document: Document) -> dict[str, Any]:
    terms: dict[str, Any] = {
        "BT-1": document.number,
        "BT-2": document.issued_on,
        "BT-3": _TYPES[document.kind],
        "BT-5": document.currency,
        "BT-9": document.due_on,
        "BG-1": [{"BT-22": document.note}] if document.note else [],
        "BG-4": _party(document.seller),
        "BG-7": _party(document.buyer),
        "BG-23": [
            {
                "BT-116": _money(each.taxable_minor, document),
                "BT-117": _money(each.tax_minor, document),
                **_tax(each.tax, ("BT-118", "BT-119")),
                **({"BT-120": reason} if (reason := _reason(each.tax, document)) else {}),
            }
            for each in document.taxes
        ],
        "BG-25": [_line(number, line, document) for number, line in enumerate(document.lines, 1)],
        "BT-72": _served_on(document),
        "BT-106": _money(document.subtotal_minor, document),
        "BT-109": _money(document.subtotal_minor, document),
        "BT-110": _money(document.tax_minor, document),
        "BT-112": _money(document.total_minor, document),
        "BT-113": _money(document.prepaid_minor + document.paid_minor, document),
        "BT-114": _money(-document.rounded_minor, document) if document.rounded_minor else None,
        "BT-115": _money(document.due_minor, document),
    }
    if document.kind is DocumentKind.CREDIT_NOTE and document.reference:
        terms["BG-3"] = [{"BT-25": document.reference}]
    return {name: value for name, value in terms.items() if value not in (None, [])}


def _written(terms: Any) -> Any:
    """Return texts without characters that XML does not allow; older documents may contain them."""
    if isinstance(terms, dict):
        return {name: _written(value) for name, value in terms.items()}
    if isinstance(terms, list):
        return [_written(each) for each in terms]
    return as_xml(terms) if isinstance(terms, str) else terms


def _served_on(document: Document) -> date:
    """Return the day of the supply: the last of the lines' periods, or the document's own."""
    return max(
        (line.period[1] - timedelta(days=1) for line in document.lines if line.period), default=document.issued_on
    )


def _party(party: Party) -> dict[str, str]:
    fields = {
        "name": party.name,
        "addr_l1": party.line1,
        "addr_l2": party.line2,
        "postcode": party.postcode,
        "city": party.city,
        "country_code": party.country,
        "vat_identifier": party.vat_id,
        "tax_identifier": party.tax_number,
        "legal_identifier": party.registration,
    }
    return {name: value for name, value in fields.items() if value}


def _line(number: int, line: DocumentLine, document: Document) -> dict[str, Any]:
    assert line.tax is not None
    fields: dict[str, Any] = {
        "BT-126": str(number),
        "BT-153": line.description,
        "BT-130": _PIECE,
        "BT-131": _money(line.net_minor, document),
        **_tax(line.tax, ("BT-151", "BT-152")),
    }
    if line.unit_minor is not None and line.quantity * line.unit_minor - line.discount_minor == line.net_minor:
        fields |= {"BT-129": str(line.quantity), "BT-146": _money(line.unit_minor, document)}
        if line.discount_minor:
            allowance = {"amount": _money(line.discount_minor, document), "reason_code": _DISCOUNT}
            fields["BG-27"] = [allowance]
    else:
        # Where discounts on the whole or included taxes are shared out, quantity times price is not the net amount.
        fields |= {"BT-129": "1", "BT-146": _money(line.net_minor, document)}
    if line.period is not None:
        first, after = line.period
        fields |= {"BT-134": first, "BT-135": after - timedelta(days=1)}
    return fields


def _tax(tax: Tax, names: tuple[str, str]) -> Mapping[str, str]:
    category, rate = names
    fields = {category: tax.category}
    # What is outside of the tax has no rate, not one of zero (BR-O-05).
    return fields if tax.category == "O" else {**fields, rate: f"{Decimal(tax.rate_e6).scaleb(-4).normalize():f}"}


def _reason(tax: Tax, document: Document) -> str | None:
    return EXEMPTIONS[tax.category][document.language] if tax.category in {"AE", "E", "O"} else None


def _money(minor: int, document: Document) -> str:
    return format_amount(minor, document.currency)
