"""The frozen contents of a document, which are stored with it and never change.

All amounts are minor units of the document's currency. A document that does not add up cannot be created.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from enum import StrEnum
from typing import Any, Self

from domain.billing.tax.rates import TaxCategory
from domain.common.mail import LANGUAGES
from domain.common.money import COINS, scale_of


class DocumentKind(StrEnum):
    """The kind of a document.

    `receipt`: of money received, with its tax if credits are taxed when they are sold. `statement`: what a
    creator earned, billed by the platform in the creator's name (self-billing). `statement_correction`: the reduction
    of a statement after it was issued; its amounts are positive.
    """

    INVOICE = "invoice"
    RECEIPT = "receipt"
    CREDIT_NOTE = "credit_note"
    STATEMENT = "statement"
    STATEMENT_CORRECTION = "statement_correction"

    @property
    def is_self_billing(self) -> bool:
        """Whether the platform writes it in the name of its seller."""
        return self in {DocumentKind.STATEMENT, DocumentKind.STATEMENT_CORRECTION}


class BalanceKind(StrEnum):
    """The lines of the account at the end of a statement."""

    OPENING = "opening"
    EARNED = "earned"
    TAKEN_BACK = "taken_back"
    CONVERTED = "converted"
    PAID_OUT = "paid_out"
    WAIVED = "waived"
    CLOSING = "closing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """The seller or the buyer. `country` is ISO 3166-1; unknown fields are None and left out."""

    name: str
    line1: str | None = None
    line2: str | None = None
    postcode: str | None = None
    city: str | None = None
    country: str | None = None
    vat_id: str | None = None
    tax_number: str | None = None
    email: str | None = None
    registration: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tax:
    """Tax of a line: a category of EN 16931 (UNCL5305) and a rate in millionths, 190,000 for 19 %."""

    category: str
    rate_e6: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentLine:
    """A line.

    Attributes:
        description: what was sold.
        quantity, unit_minor: the quantity and the price of one; `unit_minor` is None if the amount is not the product.
        discount_minor: the discount on the line.
        shown_minor: the amount before discounts on the whole document, with tax if prices include it; None if that is
            the net amount.
        net_minor: the amount without tax, after all discounts.
        period: of the service: the first day, and the day after the last.
        tax: None if the document states no tax, as on a receipt.
    """

    description: str
    net_minor: int
    quantity: int = 1
    unit_minor: int | None = None
    shown_minor: int | None = None
    discount_minor: int = 0
    period: tuple[date, date] | None = None
    tax: Tax | None = None

    @property
    def amount_minor(self) -> int:
        return self.net_minor if self.shown_minor is None else self.shown_minor


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentDiscount:
    """A deduction from the whole document before tax.

    `description` is None for credits: granted ones, or with `is_taxed` ones that were taxed when they were bought.
    """

    description: str | None
    amount_minor: int
    is_taxed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TaxSum:
    """The tax at one rate."""

    tax: Tax
    taxable_minor: int
    tax_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementBalance:
    """A line of the account of a statement."""

    kind: BalanceKind
    amount_minor: int


@dataclass(frozen=True, slots=True)
class Branding:
    """Branding of a deployment's documents: a logo, as the text of an SVG, and the colour of titles: `#0b5f5f`."""

    logo: str = ""
    accent: str = ""


#: No logo, and titles in black.
NO_BRANDING = Branding()


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A document.

    Attributes:
        number: of the document.
        reductions: discounts on the whole document, which are already deducted from the lines' net amounts.
        includes_tax: whether the shown amounts of the lines include tax.
        issued_on, due_on, paid_on: days in the buyer's time zone.
        prepaid_minor: the amount paid with credits before the document was made (BT-113).
        paid_minor: the amount paid with money by then.
        rounded_minor: the amount deducted because no provider can charge it (BT-114, with a minus).
        reference: the number of the invoice that a credit note is about, or of the statement that is corrected, or the
            id of the payment of a receipt.
        period: of a statement: the first day, and the day after the last.
        balances: the account at the end of a statement.
        stated_tax: a statement's note about tax, see `domain.billing.tax.self_billing`.
    """

    kind: DocumentKind
    number: str
    language: str
    currency: str
    issued_on: date
    seller: Party
    buyer: Party
    lines: tuple[DocumentLine, ...]
    taxes: tuple[TaxSum, ...] = ()
    reductions: tuple[DocumentDiscount, ...] = ()
    includes_tax: bool = False
    due_on: date | None = None
    paid_on: date | None = None
    prepaid_minor: int = 0
    paid_minor: int = 0
    rounded_minor: int = 0
    reference: str | None = None
    period: tuple[date, date] | None = None
    balances: tuple[StatementBalance, ...] = ()
    note: str | None = None
    stated_tax: str | None = None

    def __post_init__(self) -> None:
        """Refuse a document that does not add up.

        Raises:
            ValueError: the taxes are not on the sum of the lines, more is paid than the total, or the language or
                currency is unknown.
        """
        scale_of(self.currency)
        if self.language not in LANGUAGES:
            raise ValueError(f"documents are not written in {self.language!r}")
        for each in self.taxes:
            if sum(line.net_minor for line in self.lines if line.tax == each.tax) != each.taxable_minor:
                raise ValueError("a tax is on another sum than its lines")
        if self.taxes and sum(each.taxable_minor for each in self.taxes) != self.subtotal_minor:
            raise ValueError("taxes leave out lines")
        shown = self.lines_minor - sum(each.amount_minor for each in self.reductions)
        if shown != (self.total_minor if self.includes_tax else self.subtotal_minor):
            raise ValueError("the tax or the total is of other lines")
        if not self.kind.is_self_billing and not 0 <= self.due_minor <= max(self.total_minor, 0):
            raise ValueError("more is paid than there is to pay")

    @property
    def lines_minor(self) -> int:
        return sum(line.amount_minor for line in self.lines)

    @property
    def subtotal_minor(self) -> int:
        return sum(line.net_minor for line in self.lines)

    @property
    def tax_minor(self) -> int:
        return sum(each.tax_minor for each in self.taxes)

    @property
    def total_minor(self) -> int:
        return self.subtotal_minor + self.tax_minor

    @property
    def due_minor(self) -> int:
        return self.total_minor - self.prepaid_minor - self.paid_minor - self.rounded_minor

    def as_stored(self) -> dict[str, Any]:
        """Return it as JSON: days like `2026-11-30`, amounts as integers in minor units."""
        stored: dict[str, Any] = _plain(asdict(self))
        return stored

    @classmethod
    def restored(cls, stored: Mapping[str, Any]) -> Self:
        """Read the JSON of `as_stored`."""
        fields = dict(stored)
        due_on, period = fields["due_on"], fields["period"]
        lines = [
            DocumentLine(**{**line, "period": _days(line["period"]), "tax": line["tax"] and Tax(**line["tax"])})
            for line in fields.pop("lines")
        ]
        return cls(
            **{
                **fields,
                "kind": DocumentKind(fields["kind"]),
                "issued_on": date.fromisoformat(fields["issued_on"]),
                "due_on": due_on and date.fromisoformat(due_on),
                "period": _days(period),
                "seller": Party(**fields["seller"]),
                "buyer": Party(**fields["buyer"]),
                "lines": tuple(lines),
                "taxes": tuple(TaxSum(**{**each, "tax": Tax(**each["tax"])}) for each in fields["taxes"]),
                "reductions": tuple(DocumentDiscount(**each) for each in fields["reductions"]),
                "balances": tuple(
                    StatementBalance(kind=BalanceKind(each["kind"]), amount_minor=each["amount_minor"])
                    for each in fields["balances"]
                ),
            }
        )


def missing_for_einvoice(document: Document) -> Sequence[str]:
    """Return the missing requirements of an electronic invoice by EN 16931; empty if it can be one.

    Amounts have at most two decimals (BR-DEC). With a line outside the scope of tax there is no other tax and no VAT
    number (BR-O). A seller without a VAT number needs a registration (BR-CO-26), and a buyer who owes the tax needs a
    VAT number (BR-AE-02).
    """
    sides = (("seller", document.seller), ("buyer", document.buyer))
    missing = [f"{side}.country" for side, party in sides if party.country is None]
    if document.seller.vat_id is None and document.seller.tax_number is None:
        missing.append("seller.vat_id")
    elif document.seller.vat_id is None and document.seller.registration is None:
        missing.append("seller.registration")
    categories = {each.tax.category for each in document.taxes}
    if TaxCategory.REVERSE_CHARGE.value in categories and document.buyer.vat_id is None:
        missing.append("buyer.vat_id")
    if document.kind not in (DocumentKind.INVOICE, DocumentKind.CREDIT_NOTE):
        missing.append("kind")
    if document.currency in COINS or scale_of(document.currency) > 2:
        missing.append("currency")
    is_outside = TaxCategory.OUTSIDE.value in categories
    if not document.taxes or is_outside or any(line.tax is None for line in document.lines):
        missing.append("taxes")
    return missing


def _days(stored: Sequence[str] | None) -> tuple[date, date] | None:
    return None if stored is None else (date.fromisoformat(stored[0]), date.fromisoformat(stored[1]))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value.isoformat() if isinstance(value, date) else value
