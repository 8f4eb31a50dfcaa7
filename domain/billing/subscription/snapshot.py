"""A subscription as its provider has it now: the frozen result of every adapter.

The content of events is never used: each event only causes the subscription to be read again, so the newest state wins
regardless of the order of events.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated

from domain.billing.invoice.lines import Discount
from domain.common.period import Period
from domain.privacy.data_map import SECRET


class ProviderState(StrEnum):
    """The status of a subscription at its provider; the words are Stripe's."""

    INCOMPLETE = "incomplete"
    INCOMPLETE_EXPIRED = "incomplete_expired"
    TRIALING = "trialing"
    ACTIVE = "active"
    PAST_DUE = "past_due"
    UNPAID = "unpaid"
    PAUSED = "paused"
    CANCELED = "canceled"


class BillState(StrEnum):
    """The status of a provider's bill: a request for payment, never a tax document."""

    DRAFT = "draft"
    OPEN = "open"
    PAID = "paid"
    VOID = "void"
    UNCOLLECTIBLE = "uncollectible"


class BillReason(StrEnum):
    """Reason of a bill: the subscription began, a period began, or the terms changed within one."""

    CREATE = "subscription_create"
    CYCLE = "subscription_cycle"
    UPDATE = "subscription_update"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class BillLine:
    """A line of a bill, in minor units; negative if it credits an unused part."""

    description: str
    amount_minor: int
    period: Period | None = None
    price_id: str | None = None
    is_proration: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """A provider's request for payment, for one period or one change.

    Attributes:
        ref: the provider's id, by which it is booked once.
        discounts: the discounts on its recurring lines that further bills have as well, in order.
        total_minor: the total; `paid_minor` is the part that is paid.
        payment_ref: the provider's id of the payment.
        attempts: the number of the provider's attempts to collect it; only the provider retries.
        next_attempt_at: the time of the provider's next attempt.
        pay_url: the page where the payer can pay it, or confirm it with their bank.
    """

    ref: str
    state: BillState
    reason: BillReason
    currency: str
    total_minor: int
    paid_minor: int
    created_at: datetime
    period: Period | None = None
    lines: tuple[BillLine, ...] = ()
    discounts: tuple[Discount, ...] = ()
    payment_ref: str | None = None
    paid_at: datetime | None = None
    attempts: int = 0
    next_attempt_at: datetime | None = None
    pay_url: str | None = None

    @property
    def whole_minor(self) -> int:
        """The sum of its lines, before discounts."""
        return sum(line.amount_minor for line in self.lines)

    @property
    def is_paid(self) -> bool:
        """Whether money was received for all of it; a bill of zero is paid without any."""
        return self.state is BillState.PAID


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """Preview of a provider's bill for a change, in minor units.

    Attributes:
        total_minor: the bill's total, after discounts; negative if the unused credit exceeds the charge.
        due_minor: the charge now: the total with the customer's balance there, or nothing if it is too small to charge.
        unused_minor: the credit for the rest of the period, already in the total.
    """

    total_minor: int
    due_minor: int
    unused_minor: int

    @property
    def charged_minor(self) -> int:
        """The cost of the change itself, without debt from earlier bills."""
        return min(self.total_minor, self.due_minor)


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckoutPage:
    """A hosted page where the payer enters a payment method and subscribes, for the price of its creation."""

    ref: str
    url: Annotated[str, SECRET]
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionSnapshot:
    """The relevant state of a subscription at its provider.

    Attributes:
        price_id: the price of its one item, whose id is `item_ref`; `quantity` is the number of units.
        period: the period that is paid for or awaits payment.
        bills: all bills, oldest first.
        fingerprint: the fingerprint of the card that pays; one card has the same one in every account.
    """

    ref: str
    customer: str
    state: ProviderState
    price_id: str
    item_ref: str
    period: Period
    cancel_at_period_end: bool = False
    trial_end: datetime | None = None
    ended_at: datetime | None = None
    bills: tuple[Bill, ...] = ()
    fingerprint: str | None = None
    our_id: str | None = None
    is_live: bool = False
    quantity: int = 1
