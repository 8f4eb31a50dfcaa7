"""A subscription's state: its terms, what its provider has done, and what was granted.

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

#: How many commands a subscription remembers, so that a repeated one is answered and not done twice.
RECEIPT_WINDOW = 64
#: How many paid bills it remembers: more than the provider is ever asked for at once, so that none is taken for new.
WINDOW = 500
#: Who acts when nobody commands.
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
#: The organization has what its plan includes.
ENTITLED = frozenset({S.TRIALING, S.ACTIVE, S.PAST_DUE})
#: People can change it.
CHANGEABLE = frozenset({S.TRIALING, S.ACTIVE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """The agreed terms: the plan as it was when it was subscribed to; later changes of the configuration do not apply.

    `is_agreed` says that the price was agreed with this organization, and is not the usual one. With `net_days`, a
    period is invoiced when it begins, due in so many days, and not charged. `seats` is the number of seats of a plan
    sold by the seat: amount and credits are for all of them, and `price_id` is the price of one. `credits_price_minor`
    is the part of the amount that is for the credits; the rest is for the plan itself.
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
        """Return the terms of so many seats at the price of one."""
        return replace(
            self,
            amount_minor=self.unit_minor * seats,
            credits_minor=self.credits_minor // self.quantity * seats,
            credits_price_minor=self.credits_price_minor // self.quantity * seats,
            seats=seats,
        )

    def for_credits_minor(self, charged_minor: int) -> int:
        """Return the part of a charge by these terms that is for credits, rounded down: the same as of the price."""
        return charged_minor * self.credits_price_minor // self.amount_minor if self.credits_price_minor else 0


class ChangeKind(StrEnum):
    """`upgrade`: at once, and paid for what is left; `downgrade`: when the period ends, without a refund."""

    UPGRADE = "upgrade"
    DOWNGRADE = "downgrade"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanChange:
    """A change that was ordered and has not taken effect yet; there is one at a time.

    Attributes:
        acts_at: for a downgrade, the end of the period; for an upgrade, the moment from which it is prorated.
        credits_minor: the credits that an upgrade grants once it is paid.
        most_minor: the most that the provider may charge for an upgrade.
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
    """What the provider is still to be asked for.

    `resume`: that the period's end changes nothing. `go_on`: that it goes on at the end, with the downgrade that waits.
    `undo`: that it takes an upgrade back that was not paid. `suspend`: that it ends with its period, because its
    organization is suspended; a downgrade that waits stays.
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
    """What was ordered and the provider has not confirmed; one at a time, under a key made from its command.

    `unknown`: the answer to the call was lost, so the provider is looked at before it is asked again. `until`: of an
    undo, when the next period begins, where the upgrade has cut the running one short at the provider.
    """

    kind: OrderKind
    command_id: str
    unknown: bool = False
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditGrant:
    """Credits that are owed to the organization because money was received; granted once by its key.

    Attributes:
        key: unique within the subscription: the bill, and the month of an annual plan.
        paid_minor: what of the bill goes with them; they cost the part of it that is for credits, and what is paid out
            for them is never more.
        month: what they are for.
        paid_before_minor: what of the bill the months before have cost, so that costs without tax add up as well.
    """

    key: str
    credits_minor: int
    bill_ref: str
    paid_minor: int
    month: Period
    paid_before_minor: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class YearBill:
    """What a bill pays for of a year that is granted by the month.

    Attributes:
        paid_minor: what was paid by it; `left_minor` of it is for months that come.
        credits_minor: what it grants each month.
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
    """Payment that the provider has requested for a period and nobody has made yet.

    `credits_minor` is what the period grants once it is paid, whatever the plan is by then. It is due with our invoice,
    and paid at `pay_url`, also after the subscription has ended.
    """

    bill_ref: str
    credits_minor: int
    due_at: datetime
    pay_url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LatePeriod:
    """A period that was not paid when a newer one was: the plan that it had, and what it grants once it is paid.

    `for_credits_minor` is the part of its bill that is for these credits.
    """

    bill_ref: str
    plan: str
    credits_minor: int
    for_credits_minor: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Recurring:
    """Recurring lines of the bill of a period until a moment, after the discounts that last."""

    until: datetime
    amount_minor: int
    discounts: tuple[Discount, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """The whole state. `version` is the number of its latest event.

    Attributes:
        terms: what is agreed now.
        zone: whose clocks months are counted by: UTC, by which the provider counts its periods.
        anchor: what months are counted from; None before the first period.
        period: the one that is running, as the provider has it.
        paid_through: until when money was received for it; None before the first.
        paid_bill: the bill that paid the running period, and `paid_minor` what that was, with upgrades in it.
        worth_minor: what the running period is worth when it is cut short: its whole price as agreed by now, less the
            part that a discount took off its bill; nothing before it is paid, and after an upgrade was undone that had
            begun another.
        granted_until: the end of the last month that has its credits; `months_granted` of the paid period have them.
        order: what the provider is still to be asked for.
        settled: bills whose money is booked, the newest last.
        return_url: where the payer returns to from a page of the provider; None where a stored method is charged.
        checkout: that page, until the provider has the subscription.
        trial_card: a digest of the card that a trial was begun with; None on a page until the provider names it.
        trial_reminder_sent: the organization was told that its trial ends soon.
        requests: what was invoiced on net terms and is not paid, or was given up before it was, the newest last.
        pay_url: the provider's page where the newest of it is paid.
        year_bills: what pays for the months of the running year, the first bill and upgrades; empty for months.
        recurring: what recurs by the bill of the newest period, and after an upgrade since; None before the first.
        ends_by_suspension: it ends with its period because its organization is suspended, and goes on if that is
            resumed before.
        late_periods: what was charged for and is not paid although a newer period is, the newest last.
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
        """Return whether a command of that id was done, as far as the window reaches."""
        return command_id in self.receipts

    @property
    def recurring_minor(self) -> int:
        """Return the amount of each further interval, with the tax that is in the price."""
        return self.terms.amount_minor if self.recurring is None else self.recurring.amount_minor

    @property
    def begins_anew(self) -> bool:
        """Whether every upgrade begins a period: nothing was paid, or the provider counts what is left as a trial."""
        return self.status is S.TRIALING or self.paid_through is None or self.worth_minor == 0

    @property
    def is_entitled(self) -> bool:
        """Whether the organization has what the plan includes."""
        return self.status in ENTITLED


@dataclass(frozen=True, slots=True, kw_only=True)
class SettledBill:
    """A bill that was paid: money that is booked once, by the bill's own id.

    `plan` is the one of its period, where a newer one was paid before it. `short_minor` is by how much a newest period
    was charged less than was agreed, before discounts; None for other bills. `for_credits_minor` is the part of the
    amount that is for credits.
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
    """A period for which payment was requested on net terms: it is invoiced once, by the bill's own id.

    `short_minor` is by how much less was requested than was agreed, before discounts, and `for_credits_minor` the part
    of the amount that is for credits.
    """

    bill_ref: str
    amount_minor: int
    currency: str
    period: Period
    short_minor: int | None = None
    for_credits_minor: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """What a command, the provider or time does: the next state, the event that says so, and what goes with it."""

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
