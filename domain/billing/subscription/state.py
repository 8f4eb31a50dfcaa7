"""A subscription's state: its terms, the provider's state, and its grants.

Frozen values of the standard library only; the workflow is the only writer. Money is in minor units of the terms'
currency, credits in minor units of credits.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from domain.billing.invoice.lines import Discount
from domain.billing.plan import Interval
from domain.billing.subscription.snapshot import CheckoutPage
from domain.common.period import Anchor, Period

#: How many commands a subscription remembers, so that a repeated one is not executed twice.
RECEIPT_WINDOW = 64
#: How many paid bills it remembers: more than the provider lists at once, so that no bill is booked twice.
WINDOW = 500
#: The actor of events without a command.
WORKFLOW = "workflow"


class SubscriptionStatus(StrEnum):
    """The status of a subscription.

    Attributes:
        CREATED: agreed, and not yet created at the provider.
        INCOMPLETE: waits for its first payment, also after a trial. Nothing is granted before.
        TRIALING: in a free trial.
        ACTIVE: paid.
        PAST_DUE: the present period is not paid; the provider retries, and the entitlements of the plan continue.
        UNPAID: the provider has given up collecting; the organization has the free plan.
        ENDED: ended permanently.
    """

    CREATED = "created"
    INCOMPLETE = "incomplete"
    TRIALING = "trialing"
    ACTIVE = "active"
    PAST_DUE = "past_due"
    UNPAID = "unpaid"
    ENDED = "ended"


S = SubscriptionStatus
#: Statuses in which the organization has the entitlements of its plan.
ENTITLED = frozenset({S.TRIALING, S.ACTIVE, S.PAST_DUE})
#: Statuses in which people can change it.
CHANGEABLE = frozenset({S.TRIALING, S.ACTIVE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """The agreed terms: the plan at the time of subscription; later changes of the configuration do not apply.

    Attributes:
        is_agreed: the organization has its own price.
        net_days: a period is invoiced when it begins and due after this many days; 0: it is charged.
        seats: of a plan sold by the seat; amount and credits are for all seats, `price_id` is the price of one.
        credits_price_minor: the part of the amount for the credits; the rest is for the plan itself.
    """

    plan: str
    interval: Interval
    amount_minor: int
    currency: str
    credits_minor: int = 0
    price_id: str | None = None
    is_agreed: bool = False
    net_days: int = 0
    seats: int | None = None
    credits_price_minor: int = 0

    @property
    def quantity(self) -> int:
        """The number of units of the provider's price."""
        return self.seats or 1

    @property
    def unit_minor(self) -> int:
        """The price of one unit."""
        return self.amount_minor // self.quantity

    @property
    def unit_price(self) -> tuple[str | None, int, str, Interval]:
        """The provider's price of one unit: its id, amount, currency and interval."""
        return self.price_id, self.unit_minor, self.currency, self.interval

    def with_seats(self, seats: int) -> "Terms":
        """Return the terms of `seats` seats at the same price per seat."""
        return replace(
            self,
            amount_minor=self.unit_minor * seats,
            credits_minor=self.credits_minor // self.quantity * seats,
            credits_price_minor=self.credits_price_minor // self.quantity * seats,
            seats=seats,
        )

    def for_credits_minor(self, charged_minor: int) -> int:
        """Return the part of a charge that is for credits, in the proportion of these terms, rounded down."""
        return charged_minor * self.credits_price_minor // self.amount_minor if self.credits_price_minor else 0


class ChangeKind(StrEnum):
    """`upgrade`: takes effect at once, prorated; `downgrade`: at the end of the period, without a refund."""

    UPGRADE = "upgrade"
    DOWNGRADE = "downgrade"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanChange:
    """A change that was ordered and has not taken effect yet; there is one at a time.

    Attributes:
        acts_at: for a downgrade, the end of the period; for an upgrade, the moment from which it is prorated.
        credits_minor: the credits that an upgrade grants once it is paid.
        most_minor: the maximum that the provider may charge for an upgrade.
        bill_ref: the open bill that an upgrade waits for, once it is known.
        lapses_at: when an upgrade without a bill is undone; None means a day after it was ordered.
    """

    kind: ChangeKind
    terms: Terms
    command_id: str
    acts_at: datetime
    most_minor: int
    credits_minor: int = 0
    bill_ref: str | None = None
    lapses_at: datetime | None = None


class OrderKind(StrEnum):
    """The kind of a pending order at the provider.

    `resume`: withdraw what takes effect at the end of the period. `go_on`: withdraw the end, but keep the pending
    downgrade. `undo`: undo an unpaid upgrade. `suspend`: end with the period because the organization is suspended; a
    pending downgrade stays.
    """

    CREATE = "create"
    CHECK_OUT = "check_out"
    UPGRADE = "upgrade"
    DOWNGRADE = "downgrade"
    CANCEL = "cancel"
    CANCEL_AT_END = "cancel_at_end"
    RESUME = "resume"
    GO_ON = "go_on"
    UNDO = "undo"
    SUSPEND = "suspend"


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionOrder:
    """An order that the provider has not confirmed; one at a time, under a key made from its command.

    `unknown`: the response was lost, so the provider is read before the order is resent. `until`: of an undo, when the
    next period begins if the upgrade has shortened the present one at the provider.
    """

    kind: OrderKind
    command_id: str
    unknown: bool = False
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditGrant:
    """Credits to grant for received money; granted once by their key.

    Attributes:
        key: unique within the subscription: the bill, and the month of an annual plan.
        paid_minor: their share of the bill; their cost is the part of it that is for credits.
        month: the period of the credits.
        paid_before_minor: the shares of earlier months, so that costs without tax add up exactly.
    """

    key: str
    credits_minor: int
    bill_ref: str
    paid_minor: int
    month: Period
    paid_before_minor: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class YearBill:
    """A bill that pays for the monthly grants of a year.

    Attributes:
        paid_minor: the amount paid; `left_minor` of it is for coming months.
        credits_minor: the credits of each month.
    """

    bill_ref: str
    paid_minor: int
    left_minor: int
    credits_minor: int

    @property
    def granted_minor(self) -> int:
        return self.paid_minor - self.left_minor


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentRequest:
    """An unpaid payment request of the provider for a period on net terms.

    `credits_minor` is granted once the period is paid, whatever the plan is by then. It is due with our invoice, and
    paid at `pay_url`, also after the subscription has ended.
    """

    bill_ref: str
    credits_minor: int
    due_at: datetime
    pay_url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LatePeriod:
    """A period that is unpaid although a newer one is paid: its plan, and its grant once it is paid.

    `for_credits_minor` is the part of its bill that is for these credits.
    """

    bill_ref: str
    plan: str
    credits_minor: int
    for_credits_minor: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Recurring:
    """The recurring price of the period that ends at `until`, after permanent discounts."""

    until: datetime
    amount_minor: int
    discounts: tuple[Discount, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """State of a subscription. `version` is the number of its latest event.

    Attributes:
        terms: the present terms.
        zone: the time zone of months: UTC, in which the provider counts its periods.
        anchor: the start from which months are counted; None before the first period.
        period: the present period at the provider.
        paid_through: the end of the paid time; None before the first payment.
        paid_bill: the bill that paid the present period; `paid_minor` is the amount, with upgrades.
        worth_minor: the value by which the unused part of the present period is credited: its agreed price less its
            part of discounts; 0 before it is paid, and after the undo of an upgrade that had begun another period.
        granted_until: the end of the last month with granted credits, of which the paid period has `months_granted`.
        order: the pending order at the provider.
        settled: bills whose money is booked, the newest last.
        return_url: where the payer returns to from the hosted page; None if a stored method is charged.
        checkout: that page, until the provider has the subscription.
        trial_card: a digest of the card of the trial; None on a page until the provider names it.
        trial_reminder_sent: the reminder of the end of the trial was sent.
        requests: unpaid or given-up payment requests on net terms, the newest last.
        pay_url: the provider's page where the newest of them is paid.
        year_bills: the bills that pay for the months of the present year; empty if paid by the month.
        recurring: the recurring price by the newest period's bill and later upgrades; None before the first.
        ends_by_suspension: it ends with its period because its organization is suspended, unless that is resumed.
        late_periods: unpaid periods before a paid one, the newest last.
    """

    subscription_id: str
    org_id: str
    customer: str
    provider: str
    terms: Terms
    status: SubscriptionStatus = SubscriptionStatus.CREATED
    zone: str = "UTC"
    trial_days: int = 0
    ref: str | None = None
    item_ref: str | None = None
    anchor: Anchor | None = None
    period: Period | None = None
    trial_end: datetime | None = None
    paid_through: datetime | None = None
    paid_bill: str | None = None
    paid_minor: int = 0
    granted_until: datetime | None = None
    months_granted: int = 0
    order: SubscriptionOrder | None = None
    cancel_at_period_end: bool = False
    change: PlanChange | None = None
    settled: tuple[str, ...] = ()
    ended_at: datetime | None = None
    ended_why: str | None = None
    version: int = 0
    receipts: tuple[str, ...] = ()
    return_url: str | None = None
    checkout: CheckoutPage | None = None
    trial_card: str | None = None
    trial_reminder_sent: bool = False
    requests: tuple[PaymentRequest, ...] = ()
    pay_url: str | None = None
    year_bills: tuple[YearBill, ...] = ()
    late_periods: tuple[LatePeriod, ...] = ()
    worth_minor: int = 0
    recurring: Recurring | None = None
    ends_by_suspension: bool = False

    def has_done(self, command_id: str) -> bool:
        """Return whether the command is among the remembered ones."""
        return command_id in self.receipts

    @property
    def recurring_minor(self) -> int:
        """Return the amount of each further interval, including the tax in the price."""
        return self.terms.amount_minor if self.recurring is None else self.recurring.amount_minor

    @property
    def next_terms(self) -> Terms | None:
        """The terms of the next period; None if the subscription ends before, or has not begun."""
        if self.cancel_at_period_end or self.ends_by_suspension or self.period is None:
            return None
        if self.status not in {S.ACTIVE, S.TRIALING}:
            return None
        is_lowered = self.change is not None and self.change.kind is ChangeKind.DOWNGRADE
        return self.change.terms if is_lowered and self.change is not None else self.terms

    @property
    def begins_anew(self) -> bool:
        """Whether every upgrade begins a period: nothing was paid, or the provider counts the rest as a trial."""
        return self.status is S.TRIALING or self.paid_through is None or self.worth_minor == 0

    @property
    def is_entitled(self) -> bool:
        """Whether the organization has the entitlements of the plan."""
        return self.status in ENTITLED


@dataclass(frozen=True, slots=True, kw_only=True)
class SettledBill:
    """A paid bill, whose money is booked once by its id.

    `plan` is that of its period if a newer period was paid before. `short_minor` is how much less than agreed the
    newest period was charged, before discounts; None for other bills. `for_credits_minor` is the part for credits.
    """

    bill_ref: str
    amount_minor: int
    currency: str
    period: Period
    payment_ref: str | None = None
    plan: str | None = None
    short_minor: int | None = None
    for_credits_minor: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class NetTermsBill:
    """A period with a payment request on net terms, invoiced once by the bill's id.

    `short_minor` is how much less than agreed was requested, before discounts; `for_credits_minor` is the part for
    credits.
    """

    bill_ref: str
    amount_minor: int
    currency: str
    period: Period
    short_minor: int | None = None
    for_credits_minor: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """Transition by a command, the provider or time: the next state, its event, and the resulting bookings."""

    subscription: Subscription
    event: str
    actor: str
    settled: tuple[SettledBill, ...] = ()
    grants: tuple[CreditGrant, ...] = ()
    plan: str | None = None
    details: Mapping[str, object] = field(default_factory=dict)
    billed: tuple[NetTermsBill, ...] = ()


def numbered(outcome: Transition, command_id: str) -> Transition:
    """Give the event its number, and its command a receipt."""
    before = outcome.subscription
    receipts = (*before.receipts, command_id)[-RECEIPT_WINDOW:]
    return replace(outcome, subscription=replace(before, version=before.version + 1, receipts=receipts))
