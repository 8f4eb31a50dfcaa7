"""A sale: how its price is shared, and what happens to the shares and the access after refunds and chargebacks."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from domain.common import errors as refusals
from domain.common.money import allocate
from domain.common.text import rfc3339
from domain.marketplace.revenue_share import ALL_BPS

#: The action of the spends that pay for purchases.
PURCHASE = "marketplace.purchase"


class PurchaseStatus(StrEnum):
    """Whether a purchase gives access.

    Attributes:
        ACTIVE: it gives access until it ends.
        SUSPENDED: no access, because of a chargeback of its payment, decided or pending.
        REFUNDED: no access, because the payment was refunded.
        ENDED: no access, because its period is over, renewed or not, or because a purchase by use was cancelled.
    """

    ACTIVE = "active"
    SUSPENDED = "suspended"
    REFUNDED = "refunded"
    ENDED = "ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shares:
    """The parts of an amount, in its minor units."""

    creator_minor: int
    commission_minor: int


def shares_of(amount_minor: int, creator_bps: int) -> Shares:
    """Divide a price between creator and platform by largest remainder, so that the parts add up to it."""
    creator, commission = allocate(amount_minor, [creator_bps, ALL_BPS - creator_bps])
    return Shares(creator_minor=creator, commission_minor=commission)


def shares_between(left_minor: int, before_minor: int, creator_bps: int) -> Shares:
    """Return the shares of a refund. What is left of a price is shared as a price of that amount is.

    Args:
        left_minor: what is left of the price after this refund, at most `before_minor`.
        before_minor: what was left of it before.
        creator_bps: of the sale.
    """
    left, before = shares_of(left_minor, creator_bps), shares_of(before_minor, creator_bps)
    return Shares(
        creator_minor=before.creator_minor - left.creator_minor,
        commission_minor=before.commission_minor - left.commission_minor,
    )


def status_after(before: PurchaseStatus, *, gone: bool, disputed: bool, has_other: bool = False) -> PurchaseStatus:
    """Return the status of a purchase after a movement of its payment.

    A chargeback also suspends a month that has ended, so the agent cannot be bought again before it is decided. If it
    is won, the month becomes active, and then ends again.

    Args:
        before: the status before.
        gone: whether the whole price was refunded, lost or is disputed.
        disputed: whether a part of it was charged back or is disputed.
        has_other: whether the organization has the agent by another purchase.
    """
    if before is PurchaseStatus.ENDED and (has_other or not disputed):
        return before
    if gone and (before is PurchaseStatus.REFUNDED or not disputed):
        return PurchaseStatus.REFUNDED
    return PurchaseStatus.SUSPENDED if disputed else PurchaseStatus.ACTIVE


def check_refundable(
    status: PurchaseStatus, bought_at: datetime, *, has_refunded: bool, window: timedelta, now: datetime
) -> None:
    """Check that the buyer can request a refund.

    Args:
        status: of the purchase.
        bought_at: when access was given.
        has_refunded: whether the organization had an earlier purchase of the agent refunded.
        window: how long after that a refund can be requested.
        now: the time.

    Raises:
        Conflict: `marketplace.refunded`, `marketplace.ended`, `marketplace.suspended`,
            `marketplace.refund_window_closed`, `marketplace.refunded_before`.
    """
    if status is PurchaseStatus.REFUNDED:
        raise refusals.MarketplaceRefunded("This purchase was refunded.")
    if status is PurchaseStatus.ENDED:
        raise refusals.MarketplaceEnded("The period of this purchase is over.")
    if status is PurchaseStatus.SUSPENDED:
        raise refusals.MarketplaceSuspended("A chargeback of this purchase is open or lost.")
    ends_at = bought_at + window
    if now >= ends_at:
        raise refusals.MarketplaceRefundWindowClosed(
            f"A purchase can be refunded within {window.days} days.", extra={"ended_at": rfc3339(ends_at)}
        )
    if has_refunded:
        raise refusals.MarketplaceRefundedBefore(
            "An organization can return an agent for a refund only once, and has already done so."
        )
