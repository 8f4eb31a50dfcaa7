"""When a downgrade takes effect: with the first period that the provider bills at its price."""

from domain.billing.subscription.proration import whole_credits
from domain.billing.subscription.snapshot import Bill
from domain.billing.subscription.state import ChangeKind, PlanChange, Subscription, Terms


def pending_downgrade(subscription: Subscription) -> PlanChange | None:
    """Return the downgrade that waits for the end of the period."""
    change = subscription.change
    return change if change is not None and change.kind is ChangeKind.DOWNGRADE else None


def downgrade_begun_by(subscription: Subscription, bill: Bill) -> PlanChange | None:
    """Return the downgrade that begins with a bill's period; None if the bill is for the earlier terms.

    Unless the higher of the two prices was charged, the lower one counts: nobody has a plan for less than its price.
    """
    change, period = pending_downgrade(subscription), bill.period
    if change is None or period is None or period.start < change.acts_at:
        return None
    before, after = subscription.terms.amount_minor, change.terms.amount_minor
    charged = charged_minor(bill, {subscription.terms.price_id, change.terms.price_id})
    is_before = before > after if charged >= max(before, after) else before < after
    return None if is_before else change


def credits_charged(terms: Terms, bill: Bill) -> int:
    """Return the credits of a month that a bill is charged for: fewer where it asks for less than was agreed.

    A payer may choose a smaller price, or fewer seats, at the provider's own site. A discount takes nothing off.
    """
    charged = charged_minor(bill, {terms.price_id})
    if charged >= terms.amount_minor:
        return terms.credits_minor
    return whole_credits(terms.credits_minor * max(0, charged) // terms.amount_minor, terms.credits_minor)


def short_minor(terms: Terms, bill: Bill) -> int:
    """Return by how much a bill of a period charges less than was agreed, before discounts."""
    return max(0, terms.amount_minor - charged_minor(bill, {terms.price_id}))


def charged_minor(bill: Bill, prices: set[str | None]) -> int:
    """Return what a bill asks for one of these prices, without prorations and before discounts."""
    whole = [line for line in bill.lines if not line.is_proration]
    own = [line for line in whole if line.price_id is not None and line.price_id in prices] or whole
    return sum(line.amount_minor for line in own) if own else bill.total_minor
