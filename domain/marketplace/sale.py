"""Sales: division of the price, and shares and access after refunds and chargebacks."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from domain.common import errors as refusals
from domain.common.money import allocate
from domain.common.text import rfc3339
from domain.marketplace.revenue_share import ALL_BPS

#: Action of spends that pay for purchases.
PURCHASE = "marketplace.purchase"


class PurchaseStatus(StrEnum):
    """Status of a purchase, which determines access.

    Attributes:
        ACTIVE: it gives access until it ends.
        SUSPENDED: no access, because a chargeback of its payment is open or lost.
        REFUNDED: no access, because the payment was refunded.
        ENDED: no access, because its period is over, renewed or not, or a usage-priced purchase was cancelled.
    """

    ACTIVE = "active"
    SUSPENDED = "suspended"
    REFUNDED = "refunded"
    ENDED = "ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shares:
    """Shares of an amount, in its minor units."""

    creator_minor: int
    commission_minor: int


def shares_of(amount_minor: int, creator_bps: int) -> Shares:
    """Divide a price between creator and platform by largest remainder."""
    creator, commission = allocate(amount_minor, [creator_bps, ALL_BPS - creator_bps])
    return Shares(creator_minor=creator, commission_minor=commission)


def shares_between(left_minor: int, before_minor: int, creator_bps: int) -> Shares:
    """Return the shares of a refund: the remaining price is shared like a price of that amount.

    Args:
        left_minor: the remaining price after this refund, at most `before_minor`.
        before_minor: the remaining price before it.
        creator_bps: the creator's share of the sale.
    """
    left, before = shares_of(left_minor, creator_bps), shares_of(before_minor, creator_bps)
    return Shares(
        creator_minor=before.creator_minor - left.creator_minor,
        commission_minor=before.commission_minor - left.commission_minor,
    )


def status_after(before: PurchaseStatus, *, gone: bool, disputed: bool, has_other: bool = False) -> PurchaseStatus:
    """Return the status of a purchase after a refund, chargeback or dispute of its payment.

    A chargeback also suspends an ended month, so that the agent cannot be bought again before the decision. If it is
    won, the month becomes active, and then ends again.

    Args:
        before: the status before.
        gone: whether the whole price is refunded, lost or disputed.
        disputed: whether a part of it is charged back or disputed.
        has_other: whether another purchase gives the organization access to the agent.
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
        bought_at: the start of access.
        has_refunded: whether an earlier purchase of the agent was refunded to the organization.
        window: the refund window after it.
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
