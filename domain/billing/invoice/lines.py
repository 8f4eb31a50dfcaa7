"""Lines of invoices, and discounts on the whole invoice."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from domain.billing.invoice.wording import Wording
from domain.common.errors import Invalid
from domain.common.money import ISSUED, MAX_AMOUNT_MINOR, format_amount, scale_of

#: The maximum number of lines.
MAX_LINES = 1_000
MAX_QUANTITY = 1_000_000
#: The default stream, to which the net amount of a line is booked.
REVENUE = "revenue/invoices"
#: The stream of subscriptions: deferred revenue, recognised by the day.
SUBSCRIPTIONS = "deferred_subscriptions"
#: The product code of products without tax rates of their own.
STANDARD = "standard"


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceLine:
    """A line of an invoice, in minor units: a quantity at a unit price, or a fixed amount.

    Attributes:
        description: shown to the customer.
        quantity: units; informative if the amount is fixed.
        unit_minor: the price of one; informative if the amount is fixed.
        fixed_minor: the amount, if it is not quantity times price, as for metered usage, which is rounded when it is
            rated. Zero for usage that was paid in advance.
        discount_minor: a discount on this line.
        tax_code: the product code, by which the tax rate is found.
        stream: the platform's account for the net amount, below `platform/`.
        period_start, period_end: the period of the service, [start, end); both or none.
        reference: the id of the billed object, such as a subscription.
        is_cost: whether it charges the cost of model calls, which granted credits cannot pay.
        wording: the description as phrases, for other languages, if the product wrote it.
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
    is_cost: bool = False
    wording: Wording = ()

    @property
    def gross_minor(self) -> int:
        """The amount of the line before its discount."""
        return self.quantity * self.unit_minor if self.fixed_minor is None else self.fixed_minor

    @property
    def amount_minor(self) -> int:
        """The amount of the line after its discount, before discounts on the whole invoice."""
        return self.gross_minor - self.discount_minor


@dataclass(frozen=True, slots=True, kw_only=True)
class Discount:
    """A deduction from the whole invoice before tax: an amount in minor units, or a share of the rest, in 10^-4."""

    description: str
    amount_minor: int | None = None
    share_e4: int | None = None


def total_of(lines: Sequence[InvoiceLine], currency: str) -> int:
    """Return the sum of the lines after their own discounts.

    Raises:
        Invalid: there is none, or as for `check_lines`.
    """
    if not lines:
        raise Invalid(f"An invoice must have 1 to {MAX_LINES} lines.", extra={"field": "lines"})
    check_lines(lines, currency)
    return sum(line.amount_minor for line in lines)


def check_lines(lines: Sequence[InvoiceLine], currency: str) -> None:
    """Check the lines of an invoice; a draft may have none yet.

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
    """Check that each discount is one positive amount, or one share above 0 and up to 1; `Invalid` names the field."""
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
