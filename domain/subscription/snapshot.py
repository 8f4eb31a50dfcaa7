"""A subscription as its provider has it now: frozen values that every adapter answers with.

An event is never trusted: whoever hears of one reads the subscription again, so the newest state wins in whatever order
events come.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from domain.subscription.period import Period


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
    """Why a bill was made: the subscription began, a period began, or it changed within one."""

    CREATE = "subscription_create"
    CYCLE = "subscription_cycle"
    UPDATE = "subscription_update"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class BillLine:
    """One line of a bill, in minor units; negative if it credits an unused part."""

    description: str
    amount_minor: int
    period: Period | None = None
    price_id: str | None = None
    is_proration: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """A provider's request for payment, for one period or one change.

    Attributes:
        ref: its id there, which is what it is booked by.
        total_minor: what it comes to; `paid_minor` is what was paid of it.
        payment_ref: what paid it.
        attempts: how often the provider has tried to collect it; only it retries.
        next_attempt_at: when it tries again.
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
    payment_ref: str | None = None
    paid_at: datetime | None = None
    attempts: int = 0
    next_attempt_at: datetime | None = None
    pay_url: str | None = None

    @property
    def whole_minor(self) -> int:
        """What its lines come to, before discounts."""
        return sum(line.amount_minor for line in self.lines)

    @property
    def is_paid(self) -> bool:
        """Whether money was received for all of it; a bill of zero is paid without any."""
        return self.state is BillState.PAID


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckoutPage:
    """A page of the provider where the payer enters a method and subscribes, for the price that it was made for."""

    ref: str
    url: str
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionSnapshot:
    """Everything that concerns us of a subscription at its provider.

    Attributes:
        price_id: of its one item, whose id is `item_ref`; `quantity` of it are bought.
        period: the one that is paid for or awaits its payment.
        bills: all of them, oldest first.
        fingerprint: of the card that pays, the same for the same card in every account.
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
