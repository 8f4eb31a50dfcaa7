"""The postings of invoices and credit notes."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from domain.billing.invoice.arithmetic import TaxSum
from domain.billing.invoice.lines import SUBSCRIPTIONS
from domain.billing.invoice.worth import Slices, credits_of
from domain.billing.tax.rates import AppliedTax
from domain.common import accounts
from domain.common.accounts import Account
from domain.common.errors import WrongInvoiceState
from domain.common.money import CREDIT, allocate

#: The amounts of invoices that were paid with credits. It reduces the invoices' revenue, because the price of the
#: credits is recognised as revenue itself when they are used.
CREDITS_APPLIED = "revenue/credits_applied"
#: The rounding of invoices to amounts that providers can charge.
ROUNDING = "rounding"


@dataclass(frozen=True, slots=True)
class InvoicePosting:
    """An amount from one account to another.

    `slices` are the credits that are taken; `credits` is which of the taken ones are returned, see `LotTerms.only`.
    """

    source: Account
    destination: Account
    amount_minor: int
    slices: Slices = ()
    credits: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BookedPart:
    """The part of an invoice that was booked to an account of the platform: a stream's net amount, or a tax.

    `tax` is the code of its tax. `category` and `rate_e6` are given only if the invoice has several taxes of that code.
    """

    account: str
    tax: str
    amount_minor: int
    category: str | None = None
    rate_e6: int | None = None

    def as_stored(self) -> dict[str, Any]:
        """Return it as stored in a credit note, without empty fields."""
        return {name: value for name, value in asdict(self).items() if value is not None}


def booked_parts(nets: Sequence[tuple[str, AppliedTax, int]], taxes: Sequence[TaxSum]) -> tuple[BookedPart, ...]:
    """Sum up an invoice by account and tax: its lines as (stream, tax, net), and the amount of each tax."""
    sums: dict[tuple[str, AppliedTax], int] = {}
    for account, tax, minor in (*nets, *((f"tax/{each.tax.code}", each.tax, each.tax_minor) for each in taxes)):
        sums[account, tax] = sums.get((account, tax), 0) + minor
    codes = [tax.code for tax in {tax for _, tax in sums}]
    return tuple(
        BookedPart(account=account, tax=tax.code, amount_minor=minor)
        if codes.count(tax.code) == 1
        else BookedPart(
            account=account, tax=tax.code, amount_minor=minor, category=tax.category.value, rate_e6=tax.rate_e6
        )
        for (account, tax), minor in sums.items()
        if minor
    )


def issue_postings(org_id: str, currency: str, parts: Sequence[BookedPart]) -> list[InvoicePosting]:
    """Book an issued invoice: the receivable, the streams and the taxes."""
    receivable = accounts.org_receivable(org_id, currency)
    return [InvoicePosting(receivable, accounts.platform(part.account, currency), part.amount_minor) for part in parts]


def is_of_subscription(parts: Sequence[BookedPart]) -> bool:
    """Return whether an invoice is of a subscription, whose provider collects it."""
    return any(part.account == SUBSCRIPTIONS for part in parts)


def require_own_revenue(parts: Sequence[BookedPart], state: str) -> None:
    """Refuse to void a subscription's invoice, whose revenue is recognised by the day and by its credits.

    Raises:
        WrongInvoiceState: a part of the invoice is a subscription's.
    """
    if is_of_subscription(parts):
        raise WrongInvoiceState(
            "This invoice is for a subscription, and its revenue is recognised by the day. It "
            "cannot be voided: refund its payment, or "
            "mark what is due as uncollectible.",
            extra={"state": state},
        )


def reversal_postings(org_id: str, currency: str, parts: Sequence[BookedPart]) -> list[InvoicePosting]:
    """Reverse the receivable."""
    return [
        InvoicePosting(posting.destination, posting.source, posting.amount_minor)
        for posting in issue_postings(org_id, currency, parts)
    ]


def credit_postings(org_id: str, currency: str, *, slices: Slices, prepaid_minor: int) -> list[InvoicePosting]:
    """Take credits, and pay the invoice with the worth of those that are no discount."""
    wallet, used = accounts.org_credits(org_id), accounts.platform("credit_redemption", CREDIT)
    receivable, revenue = accounts.org_receivable(org_id, currency), accounts.platform(CREDITS_APPLIED, currency)
    postings = [
        InvoicePosting(wallet, used, credits_of(slices), slices=slices),
        InvoicePosting(revenue, receivable, prepaid_minor),
    ]
    return [posting for posting in postings if posting.amount_minor]


def rounding_postings(org_id: str, currency: str, amount_minor: int, *, back: bool = False) -> list[InvoicePosting]:
    """Deduct the rounding from the receivable, or, with `back`, add it again."""
    off, receivable = accounts.platform(ROUNDING, currency), accounts.org_receivable(org_id, currency)
    source, destination = (receivable, off) if back else (off, receivable)
    return [InvoicePosting(source, destination, amount_minor)] if amount_minor else []


def credit_return_postings(
    org_id: str, currency: str, *, granted_credits: int, taxed_credits: int, credits: int, prepaid_minor: int
) -> list[InvoicePosting]:
    """Return credits to the lots that were taken, and reverse what they have paid."""
    postings = credit_postings(org_id, currency, slices=(), prepaid_minor=prepaid_minor)
    back = [InvoicePosting(each.destination, each.source, each.amount_minor) for each in postings]
    wallet, used = accounts.org_credits(org_id), accounts.platform("credit_redemption", CREDIT)
    for kind, minor in (("untaxed", credits), ("taxed", taxed_credits), ("granted", granted_credits)):
        if minor:
            back.append(InvoicePosting(used, wallet, minor, credits=kind))
    return back


def allocate_to_parts(
    parts: Sequence[BookedPart], before: Sequence[Sequence[BookedPart]], amount_minor: int
) -> tuple[BookedPart, ...]:
    """Allocate an amount over the rest of an invoice's parts, so that notes for the whole add up to the invoice.

    Args:
        parts: of the invoice.
        before: the parts of earlier credit notes.
        amount_minor: at most the rest of all parts.
    """
    left = {replace(part, amount_minor=0): part.amount_minor for part in parts}
    for note in before:
        for part in note:
            left[replace(part, amount_minor=0)] -= part.amount_minor
    shares = allocate(amount_minor, list(left.values()))
    return tuple(replace(part, amount_minor=minor) for part, minor in zip(left, shares, strict=True) if minor)
