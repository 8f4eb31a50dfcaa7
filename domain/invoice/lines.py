"""What an invoice bills: its lines and the discounts on all of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from domain.errors import Invalid
from domain.invoice.wording import Wording
from domain.money import ISSUED, MAX_AMOUNT_MINOR, format_amount, scale_of

#: Nobody reads a longer one.
MAX_LINES = 1_000
MAX_QUANTITY = 1_000_000
#: Where the net amount of a line is booked unless the line says otherwise.
REVENUE = "revenue/invoices"
#: Where what a period of a subscription cost waits to be earned, day by day.
SUBSCRIPTIONS = "deferred_subscriptions"
#: The product code of what has no rates of its own.
STANDARD = "standard"


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceLine:
    """What is charged for, in minor units: a number of units at a price each, or a fixed amount.

    Attributes:
        description: what the reader sees.
        quantity: units; shown only where the amount is fixed.
        unit_minor: the price of one; shown only where the amount is fixed.
        fixed_minor: the amount, if it is not quantity times price: metered usage, rounded once when it was rated. Zero
            shows what was paid for in advance.
        discount_minor: taken off this line alone.
        tax_code: the product code that its tax rate is found by.
        stream: the platform's account that the net amount is booked to, below `platform/`.
        period_start, period_end: when it was served, [start, end); both or none.
        reference: the id of what it bills, such as a subscription.
        wording: what the description says, where the product wrote it, for readers of another language.
    """

    description: str
    quantity: int = 1
    unit_minor: int = 0
    fixed_minor: int | None = None
    discount_minor: int = 0
    tax_code: str = STANDARD
    stream: str = REVENUE
    period_start: datetime | None = None
    period_end: datetime | None = None
    reference: str | None = None
    wording: Wording = ()

    @property
    def gross_minor(self) -> int:
        """What the line comes to before its discount."""
        return self.quantity * self.unit_minor if self.fixed_minor is None else self.fixed_minor

    @property
    def amount_minor(self) -> int:
        """What the line comes to after its discount, before discounts on the whole invoice."""
        return self.gross_minor - self.discount_minor


@dataclass(frozen=True, slots=True, kw_only=True)
class Discount:
    """Taken off the whole invoice before tax: an amount in minor units, or a share of what is left, in 10^-4."""

    description: str
    amount_minor: int | None = None
    share_e4: int | None = None


def total_of(lines: Sequence[InvoiceLine], currency: str) -> int:
    """Return what the lines come to after their own discounts.

    Raises:
        Invalid: there is none, or as for `check_lines`.
    """
    if not lines:
        raise Invalid(f"An invoice must have 1 to {MAX_LINES} lines.", extra={"field": "lines"})
    check_lines(lines, currency)
    return sum(line.amount_minor for line in lines)


def check_lines(lines: Sequence[InvoiceLine], currency: str) -> None:
    """Refuse what no invoice can have; a draft may have no lines yet.

    Raises:
        Invalid: too many lines, a quantity or an amount that is out of bounds, a discount that is more than its line, a
            period that ends before it begins, a total above what the books hold, or a currency that the platform
            issues itself.
    """
    scale_of(currency)
    if currency in ISSUED:
        raise Invalid("The currency of an invoice must be money, such as USD.", extra={"field": "currency"})
    if len(lines) > MAX_LINES:
        raise Invalid(f"An invoice must have 1 to {MAX_LINES} lines.", extra={"field": "lines"})
    for line in lines:
        _check_line(line)
    if sum(line.gross_minor for line in lines) > MAX_AMOUNT_MINOR:
        limit = format_amount(MAX_AMOUNT_MINOR, currency)
        raise Invalid(f"The total must not be greater than {limit} {currency}.", extra={"field": "lines"})


def check_discounts(discounts: Sequence[Discount]) -> None:
    """Refuse discounts that are not one positive amount or one share above 0 and up to 1; `Invalid` names the field."""
    for discount in discounts:
        given = [part for part in (discount.amount_minor, discount.share_e4) if part is not None]
        if len(given) != 1 or given[0] <= 0 or (discount.share_e4 or 0) > 10_000:
            raise Invalid(
                "A discount must have either a positive amount or a share of up to 1.", extra={"field": "discounts"}
            )


def _check_line(line: InvoiceLine) -> None:
    if line.fixed_minor is None:
        if not 0 < line.quantity <= MAX_QUANTITY or line.unit_minor <= 0:
            raise Invalid(
                f"A line must have a quantity of 1 to {MAX_QUANTITY} and a positive unit price.",
                extra={"field": "lines"},
            )
    elif line.fixed_minor < 0 or line.quantity < 0 or line.unit_minor < 0:
        raise Invalid("The amount of a line must not be negative.", extra={"field": "lines"})
    if not 0 <= line.discount_minor <= line.gross_minor:
        raise Invalid("A discount must not be more than its line.", extra={"field": "lines"})
    if (line.period_start is None) != (line.period_end is None) or (
        line.period_start is not None and line.period_end is not None and line.period_start >= line.period_end
    ):
        raise Invalid("The period of a line must have a start and a later end.", extra={"field": "lines"})
