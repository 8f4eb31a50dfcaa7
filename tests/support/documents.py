"""Documents of every kind, with lines of every form."""

from datetime import date
from typing import Any

from domain.billing.document.content import (
    BalanceKind,
    Document,
    DocumentKind,
    DocumentLine,
    Party,
    StatementBalance,
    Tax,
    TaxSum,
)
from domain.billing.legal_entity import LegalEntities, LegalEntity


def selling(seller: Party | None) -> LegalEntities:
    """Return the entities of a deployment that has one."""
    return LegalEntities(LegalEntity(seller=seller))


SELLER = Party(
    name="Bursar Plattform GmbH",
    line1="Hauptstraße 1",
    postcode="10115",
    city="Berlin",
    country="DE",
    vat_id="DE123456788",
    registration="HRB 4711, Amtsgericht Charlottenburg",
    email="billing@bursar.example",
)
BUYER = Party(
    name="Acme Société Générale d'Études",
    line1="12 rue de la Paix",
    postcode="75002",
    city="Paris",
    country="FR",
    vat_id="FR40303265045",
)
STANDARD, REDUCED, REVERSE = Tax(category="S", rate_e6=190_000), Tax(category="S", rate_e6=70_000), Tax(category="AE")
OCTOBER = (date(2026, 10, 1), date(2026, 11, 1))


def line(number: int, tax: Tax | None = STANDARD) -> DocumentLine:
    quantity, unit = number % 7 + 1, 125 + 37 * number
    discount = 50 if number % 5 == 0 else 0
    return DocumentLine(
        description=f"Agent {number}: calls of the model, October",
        quantity=quantity,
        unit_minor=unit,
        discount_minor=discount,
        net_minor=quantity * unit - discount,
        period=OCTOBER if number % 3 == 0 else None,
        tax=tax,
    )


def taxed(lines: tuple[DocumentLine, ...]) -> tuple[TaxSum, ...]:
    sums: dict[Tax, int] = {}
    for each in lines:
        if each.tax is not None:
            sums[each.tax] = sums.get(each.tax, 0) + each.net_minor
    return tuple(
        TaxSum(tax=tax, taxable_minor=net, tax_minor=(net * tax.rate_e6 + 500_000) // 1_000_000)
        for tax, net in sums.items()
    )


def invoice(count: int = 1, *, rates: tuple[Tax, ...] = (STANDARD, REDUCED), **changes: Any) -> Document:
    lines = tuple(line(number, rates[number % len(rates)]) for number in range(count))
    given: dict[str, Any] = {
        "kind": DocumentKind.INVOICE,
        "number": "INV-000042",
        "language": "en",
        "currency": "EUR",
        "issued_on": date(2026, 11, 1),
        "due_on": date(2026, 12, 1),
        "seller": SELLER,
        "buyer": BUYER,
        "lines": lines,
        "taxes": taxed(lines),
        "prepaid_minor": 25,
        "note": "PO 4711",
    }
    return Document(**{**given, **changes})


def receipt(**changes: Any) -> Document:
    given: dict[str, Any] = {
        "kind": DocumentKind.RECEIPT,
        "number": "pay_01kar6h2d8e4wvq3r5s7t9x1zy",
        "taxes": (),
        "lines": (DocumentLine(description="1,000 credits", net_minor=10_000, quantity=1, unit_minor=10_000),),
        "paid_minor": 10_000,
        "prepaid_minor": 0,
        "due_on": None,
        "note": None,
    }
    return invoice(**{**given, **changes})


def credit_note(**changes: Any) -> Document:
    given = {"kind": DocumentKind.CREDIT_NOTE, "number": "CRN-000007", "reference": "INV-000042", "due_on": None}
    return invoice(2, **{**given, "prepaid_minor": 0, **changes})


def statement(**changes: Any) -> Document:
    amounts = {
        BalanceKind.OPENING: 12_000,
        BalanceKind.EARNED: 0,
        BalanceKind.TAKEN_BACK: -900,
        BalanceKind.PAID_OUT: -12_000,
    }
    lines = tuple(line(number, REVERSE) for number in range(5))
    amounts[BalanceKind.EARNED] = sum(each.net_minor for each in lines)
    balances = [StatementBalance(kind=kind, amount_minor=amount) for kind, amount in amounts.items()]
    closing = StatementBalance(kind=BalanceKind.CLOSING, amount_minor=sum(amounts.values()))
    given: dict[str, Any] = {
        "kind": DocumentKind.STATEMENT,
        "number": "2026-10 org_01kar6h2d8e4wvq3r5s7t9x1zy",
        "seller": BUYER,
        "buyer": SELLER,
        "lines": lines,
        "taxes": taxed(lines),
        "period": OCTOBER,
        "balances": (*balances, closing),
        "prepaid_minor": 0,
        "due_on": None,
        "note": None,
    }
    return invoice(**{**given, **changes})


def correction(**changes: Any) -> Document:
    """Return what was taken back of a statement that states tax: 33.30 with 5.32 of it."""
    taken = DocumentLine(description="Reader", shown_minor=3_330, net_minor=2_798, tax=STANDARD)
    given: dict[str, Any] = {
        "kind": DocumentKind.STATEMENT_CORRECTION,
        "number": "STC-000002",
        "reference": "STM-000123",
        "lines": (taken,),
        "taxes": (TaxSum(tax=STANDARD, taxable_minor=2_798, tax_minor=532),),
        "includes_tax": True,
        "balances": (),
        "stated_tax": "charged",
    }
    return statement(**{**given, **changes})
