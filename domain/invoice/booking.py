"""What invoices and credit notes move in the books."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from domain import accounts
from domain.accounts import Account
from domain.invoice.lines import SUBSCRIPTIONS
from domain.invoice.state import WrongInvoiceState
from domain.money import CREDIT, allocate

#: What credits pay of invoices. The invoice's revenue is above by it, and what was paid for the credits is revenue
#: of its own once they are used, so the sum of both is what came in.
APPLIED = "revenue/credits_applied"


@dataclass(frozen=True, slots=True)
class InvoicePosting:
    """An amount from one account to another.

    `credits` says which credits leave, see `LotTerms.only`; with `comes_back` which of those that the invoice took.
    """

    source: Account
    destination: Account
    amount_minor: int
    credits: str | None = None
    comes_back: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What of an invoice went to an account of the platform: a stream's net, or a tax. `tax` is the code of its tax."""

    account: str
    tax: str
    amount_minor: int


def parts_of(nets: Sequence[tuple[str, str, int]], taxes: Mapping[str, int]) -> tuple[Part, ...]:
    """Sum up an invoice by account and tax: its lines as (stream, code of the tax, net), and each code's tax."""
    sums: dict[tuple[str, str], int] = {}
    for stream, code, net in nets:
        sums[stream, code] = sums.get((stream, code), 0) + net
    streams = [Part(account=stream, tax=code, amount_minor=net) for (stream, code), net in sums.items() if net]
    return (*streams, *(Part(account=f"tax/{c}", tax=c, amount_minor=minor) for c, minor in taxes.items() if minor))


def issued(org_id: str, currency: str, parts: Sequence[Part]) -> list[InvoicePosting]:
    """Make an invoice receivable."""
    receivable = accounts.org_receivable(org_id, currency)
    return [InvoicePosting(receivable, accounts.platform(part.account, currency), part.amount_minor) for part in parts]


def of_subscription(parts: Sequence[Part]) -> bool:
    """Tell whether an invoice is of a subscription, whose provider collects it."""
    return any(part.account == SUBSCRIPTIONS for part in parts)


def require_own_revenue(parts: Sequence[Part], state: str) -> None:
    """Refuse to void what was paid when it was issued: a subscription's period is earned by the day and by its credits.

    Raises:
        WrongInvoiceState: a part of the invoice is a subscription's.
    """
    if of_subscription(parts):
        raise WrongInvoiceState(
            "This invoice is of a subscription, and is earned day by day. It cannot be voided: refund its payment, or "
            "mark what is due as uncollectible.",
            extra={"state": state},
        )


def taken_back(org_id: str, currency: str, parts: Sequence[Part]) -> list[InvoicePosting]:
    """Take back what was receivable."""
    return [
        InvoicePosting(posting.destination, posting.source, posting.amount_minor)
        for posting in issued(org_id, currency, parts)
    ]


def applied(
    org_id: str, currency: str, *, granted_credits: int, taxed_credits: int, credits: int, prepaid_minor: int
) -> list[InvoicePosting]:
    """Take credits, and pay the invoice by what the purchased ones are worth."""
    wallet, used = accounts.org_credits(org_id), accounts.platform("credit_redemption", CREDIT)
    receivable, revenue = accounts.org_receivable(org_id, currency), accounts.platform(APPLIED, currency)
    postings = [
        InvoicePosting(wallet, used, granted_credits, "granted"),
        InvoicePosting(wallet, used, taxed_credits, "taxed"),
        InvoicePosting(wallet, used, credits, "untaxed"),
        InvoicePosting(revenue, receivable, prepaid_minor),
    ]
    return [posting for posting in postings if posting.amount_minor]


def given_back(
    org_id: str, currency: str, *, granted_credits: int, taxed_credits: int, credits: int, prepaid_minor: int
) -> list[InvoicePosting]:
    """Give credits back to lots of their kind that were taken, and what they paid to the platform's revenue."""
    postings = applied(
        org_id,
        currency,
        granted_credits=granted_credits,
        taxed_credits=taxed_credits,
        credits=credits,
        prepaid_minor=prepaid_minor,
    )
    return [
        replace(posting, source=posting.destination, destination=posting.source, comes_back=True)
        for posting in reversed(postings)
    ]


def share(parts: Sequence[Part], before: Sequence[Sequence[Part]], amount_minor: int) -> tuple[Part, ...]:
    """Share an amount out over what is left of an invoice's parts, so that notes for the whole add up to the invoice.

    Args:
        parts: of the invoice.
        before: of the credit notes before this one.
        amount_minor: at most what is left of the parts.
    """
    left = {(part.account, part.tax): part.amount_minor for part in parts}
    for note in before:
        for part in note:
            left[part.account, part.tax] -= part.amount_minor
    shares = allocate(amount_minor, list(left.values()))
    return tuple(
        Part(account=account, tax=tax, amount_minor=minor)
        for (account, tax), minor in zip(left, shares, strict=True)
        if minor
    )


def lots_document(posting: InvoicePosting) -> dict[str, object] | None:
    """Say which lots a posting takes, as the books read it."""
    return None if posting.credits is None else {"only": posting.credits}
