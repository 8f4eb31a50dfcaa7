"""Lines and discounts of an invoice as its row keeps them."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from datetime import datetime
from typing import Any

from domain.invoice.booking import Part, parts_of
from domain.invoice.lines import Discount, InvoiceLine
from domain.tax.rates import NO_TAX
from models.invoice import InvoiceRow

_ALWAYS = frozenset({"description", "quantity", "unit_minor"})
_USUAL = {field.name: field.default for field in fields(InvoiceLine)}


def as_stored(lines: Sequence[InvoiceLine]) -> list[dict[str, Any]]:
    """Write lines as the row keeps them: what is as usual is left out."""
    return [
        {
            name: value.isoformat() if isinstance(value, datetime) else value
            for name, usual in _USUAL.items()
            if (value := getattr(line, name)) != usual or name in _ALWAYS
        }
        for line in lines
    ]


def lines_of(row: InvoiceRow) -> list[InvoiceLine]:
    """Read the lines of a row."""
    return [line_of(line) for line in row.lines]


def line_of(stored: Mapping[str, Any]) -> InvoiceLine:
    """Read one line; what was worked out for it when the invoice was finalised is no part of it."""
    known = {name: value for name, value in stored.items() if name in _USUAL}
    for name in ("period_start", "period_end"):
        if name in known:
            known[name] = datetime.fromisoformat(known[name])
    if "wording" in known:
        known["wording"] = tuple(tuple(phrase) for phrase in known["wording"])
    return InvoiceLine(**known)


def discounts_of(row: InvoiceRow) -> list[Discount]:
    """Read the discounts that were asked for."""
    return [
        Discount(**{name: found[name] for name in ("description", "amount_minor", "share_e4") if name in found})
        for found in row.discounts
    ]


def discounts_as_stored(discounts: Sequence[Discount]) -> list[dict[str, Any]]:
    """Write discounts as the row keeps them."""
    return [{name: value for name, value in asdict(each).items() if value is not None} for each in discounts]


def parts_of_row(row: InvoiceRow) -> tuple[Part, ...]:
    """Return what a finalised invoice booked to which account of the platform."""
    nets = []
    for stored in row.lines:
        line = line_of(stored)
        nets.append((line.stream, stored.get("tax", NO_TAX.code), stored.get("net_minor", line.amount_minor)))
    taxes: dict[str, int] = {}
    for each in row.taxes:
        taxes[each["code"]] = taxes.get(each["code"], 0) + each["tax_minor"]
    return parts_of(nets, taxes)
