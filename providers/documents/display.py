"""The data for templates: every text of a document, formatted in its language. It contains no floats."""

import re
from decimal import Decimal
from functools import cache
from typing import Any

from domain.billing.document.content import BalanceKind, Document, DocumentKind, DocumentLine, Party, Tax
from domain.billing.document.words import EXEMPTIONS, NO_TAX, RECEIPT_NOTE, STATED_TAX, labels_of, title_of
from domain.common.money import format_amount
from providers.formats import BabelFormats, formats_of

#: Longer words get break points, or they would overflow their column.
LONGEST_WORD = 40
_LONG = re.compile(rf"\S{{{LONGEST_WORD},}}")
_BREAK = "\u200b"


def format_document(document: Document) -> dict[str, Any]:
    """Format a document.

    Returns:
        Texts under fixed names, see docs/guides/documents.md: `title`, `number`, `labels`, `seller`, `buyer`, `facts`,
        `lines`, `sums`, `account`, `remarks`, `language`, `kind`.
    """
    formats, labels = formats_of(document.language), labels_of(document.language)
    writer = _Writer(document, formats, labels)
    return {
        "kind": document.kind.value,
        "language": document.language,
        "title": title_of(document.kind, document.language),
        "number": document.number,
        "labels": labels,
        "seller": writer.party(document.seller),
        "buyer": writer.party(document.buyer),
        "facts": writer.facts(),
        "lines": [writer.line(line) for line in document.lines],
        "shows_units": any(line.unit_minor is not None or line.quantity != 1 for line in document.lines),
        "shows_tax": bool(document.taxes),
        "sums": writer.sums(),
        "account": writer.account(),
        "remarks": writer.remarks(),
    }


class _Writer:
    """Writes the parts of one document."""

    def __init__(self, document: Document, formats: BabelFormats, labels: dict[str, str]) -> None:
        self._document, self._formats, self._labels = document, formats, labels
        # Most lines of a document have the quantity and the rate of others.
        self._quantity = cache(lambda quantity: formats.number(Decimal(quantity), 0))
        self._percent = cache(formats.percent)

    def party(self, party: Party) -> list[str]:
        place = " ".join(part for part in (party.postcode, party.city) if part)
        numbers = [
            f"{self._labels[label]}: {value}"
            for label, value in (("vat_id", party.vat_id), ("tax_number", party.tax_number))
            if value
        ]
        country = self._formats.country(party.country) if party.country else None
        lines = [party.name, party.line1, party.line2, place, country, *numbers, party.registration, party.email]
        return [breakable(line) for line in lines if line]

    def facts(self) -> list[list[str]]:
        document, labels = self._document, self._labels
        reference = {
            DocumentKind.CREDIT_NOTE: labels["corrected_reference"],
            DocumentKind.RECEIPT: labels["payment_reference"],
            DocumentKind.STATEMENT_CORRECTION: labels["corrected_reference"],
        }.get(document.kind, "")
        found = [
            (labels["number"], document.number),
            (labels["issued_on"], self._formats.day(document.issued_on.isoformat())),
            (labels["due_on"], document.due_on and self._formats.day(document.due_on.isoformat())),
            (labels["paid_on"], document.paid_on and self._formats.day(document.paid_on.isoformat())),
            (labels["period"], document.period and self._formats.period(*document.period)),
            (reference, reference and document.reference),
        ]
        return [[label, breakable(value)] for label, value in found if value]

    def line(self, line: DocumentLine) -> dict[str, str]:
        return {
            "description": breakable(line.description),
            "period": self._formats.period(*line.period) if line.period else "",
            "discount": f"{self._labels['discount']}: {self._amount(-line.discount_minor)}"
            if line.discount_minor
            else "",
            "quantity": self._quantity(line.quantity),
            "unit": self._amount(line.unit_minor) if line.unit_minor is not None else "",
            "rate": self._rate(line.tax) if line.tax else "",
            "amount": self._amount(line.amount_minor),
        }

    def sums(self) -> list[dict[str, Any]]:
        document, labels = self._document, self._labels
        rows: list[tuple[str, int, bool]] = []
        if document.reductions or document.includes_tax:
            rows.append((labels["lines_with_tax" if document.includes_tax else "lines"], document.lines_minor, False))
        for taken in document.reductions:
            rows.append(
                (
                    breakable(taken.description or labels["taxed" if taken.is_taxed else "granted"]),
                    -taken.amount_minor,
                    False,
                )
            )
        if document.taxes:
            rows.append((labels["subtotal"], document.subtotal_minor, False))
        for each in document.taxes:
            label = labels["tax"].format(rate=self._rate(each.tax), base=self._money(each.taxable_minor))
            rows.append((label, each.tax_minor, False))
        if document.kind is DocumentKind.STATEMENT:
            rows.append((labels["earned_total"], document.total_minor, True))
        elif document.kind is DocumentKind.STATEMENT_CORRECTION:
            rows.append((labels["corrected"], document.total_minor, True))
        elif document.kind is DocumentKind.CREDIT_NOTE:
            if document.rounded_minor:
                rows.append((labels["rounded"], -document.rounded_minor, False))
            rows.append((labels["credited"], document.due_minor, True))
        else:
            rows.append((labels["total"], document.total_minor, True))
            rows += [
                (labels[name], -amount, False)
                for name, amount in (
                    ("prepaid", document.prepaid_minor),
                    ("paid", document.paid_minor),
                    ("rounded", document.rounded_minor),
                )
                if amount
            ]
            if document.kind is DocumentKind.INVOICE:
                rows.append((labels["due"], document.due_minor, True))
        return [{"label": label, "amount": self._money(amount), "strong": strong} for label, amount, strong in rows]

    def account(self) -> list[dict[str, Any]]:
        return [
            {
                "label": self._labels[each.kind.value],
                "amount": self._money(each.amount_minor),
                "strong": each.kind is BalanceKind.CLOSING,
            }
            for each in self._document.balances
        ]

    def remarks(self) -> list[str]:
        document = self._document
        said = [
            EXEMPTIONS[category][document.language]
            for category in dict.fromkeys(each.tax.category for each in document.taxes)
            if category in EXEMPTIONS
        ]
        if document.kind is DocumentKind.RECEIPT and not document.taxes:
            said.append(RECEIPT_NOTE[document.language])
        if document.kind in {DocumentKind.INVOICE, DocumentKind.CREDIT_NOTE} and not document.taxes:
            said.append(NO_TAX[document.language])
        if document.stated_tax and document.stated_tax in STATED_TAX:
            said.append(STATED_TAX[document.stated_tax][document.language])
        return [*said, *([breakable(document.note)] if document.note else [])]

    def _rate(self, tax: Tax) -> str:
        return self._percent(tax.rate_e6)

    def _amount(self, minor: int) -> str:
        return self._formats.amount(format_amount(minor, self._document.currency), self._document.currency)

    def _money(self, minor: int) -> str:
        return self._formats.money(format_amount(minor, self._document.currency), self._document.currency)


def breakable(text: str) -> str:
    """Return a text whose overlong words can be broken between any two of their characters."""
    return _LONG.sub(lambda word: _BREAK.join(word.group()), text)
