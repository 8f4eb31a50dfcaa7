"""Lines and discounts of an invoice as JSON in its row."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from datetime import datetime
from typing import Any

from domain.billing.invoice.arithmetic import TaxSum
from domain.billing.invoice.booking import BookedPart, booked_parts
from domain.billing.invoice.lines import Discount, InvoiceLine
from domain.billing.tax.rates import NO_TAX, AppliedTax, TaxCategory
from models.billing.invoice import InvoiceRow

_ALWAYS = frozenset({"description", "quantity", "unit_minor"})
_USUAL = {field.name: field.default for field in fields(InvoiceLine)}


def as_stored(lines: Sequence[InvoiceLine]) -> list[dict[str, Any]]:
    return [
        {
            name: value.isoformat() if isinstance(value, datetime) else value
            for name, usual in _USUAL.items()
            if (value := getattr(line, name)) != usual or name in _ALWAYS
        }
        for line in lines
    ]


def lines_of(row: InvoiceRow) -> list[InvoiceLine]:
    return [line_of(line) for line in row.lines]


def line_of(stored: Mapping[str, Any]) -> InvoiceLine:
    """Read one line, without the net amount and tax that were added when the invoice was finalised."""
    known = {name: value for name, value in stored.items() if name in _USUAL}
    for name in ("period_start", "period_end"):
        if name in known:
            known[name] = datetime.fromisoformat(known[name])
    if "wording" in known:
        known["wording"] = tuple(tuple(phrase) for phrase in known["wording"])
    return InvoiceLine(**known)


def discounts_of(row: InvoiceRow) -> list[Discount]:
    return [
        Discount(**{name: found[name] for name in ("description", "amount_minor", "share_e4") if name in found})
        for found in row.discounts
    ]


def discounts_as_stored(discounts: Sequence[Discount]) -> list[dict[str, Any]]:
    return [{name: value for name, value in asdict(each).items() if value is not None} for each in discounts]


def parts_of_row(row: InvoiceRow) -> tuple[BookedPart, ...]:
    """Return the amounts that a finalised invoice has booked, by account of the platform; those of a draft untaxed."""
    of_lines, sums = taxes_of(row)
    nets = []
    for stored, tax in zip(row.lines, of_lines, strict=True):
        line = line_of(stored)
        nets.append((line.stream, tax, stored.get("net_minor", line.amount_minor)))
    return booked_parts(nets, sums)


def finalised_as_stored(
    lines: Sequence[InvoiceLine], nets: Sequence[int], taxes: Sequence[AppliedTax]
) -> list[dict[str, Any]]:
    return [
        {**stored, "net_minor": net, "tax": tax.code, "category": tax.category.value, "rate_e6": tax.rate_e6}
        for stored, net, tax in zip(as_stored(lines), nets, taxes, strict=True)
    ]


def taxes_of(row: InvoiceRow) -> tuple[list[AppliedTax], list[TaxSum]]:
    """Return the tax of each line of an invoice, and the sum of each tax; the lines of a draft have none yet."""
    of_lines = [_tax(line["tax"], line) if "tax" in line else NO_TAX for line in row.lines]
    sums: dict[AppliedTax, TaxSum] = {}
    for each in row.taxes:
        tax = _tax(each["code"], each)
        before = sums.get(tax, TaxSum(tax=tax, taxable_minor=0, tax_minor=0))
        sums[tax] = TaxSum(
            tax=tax,
            taxable_minor=before.taxable_minor + each["taxable_minor"],
            tax_minor=before.tax_minor + each["tax_minor"],
        )
    return of_lines, list(sums.values())


def _tax(code: str, stored: Mapping[str, Any]) -> AppliedTax:
    return AppliedTax(code=code, category=TaxCategory(stored["category"]), rate_e6=stored["rate_e6"])
