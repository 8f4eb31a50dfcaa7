"""HTTP schemas of subscriptions."""

from datetime import datetime, timedelta
from typing import Annotated

from pydantic import Field

from api.fields import Amount, Currency, Exact, Flag, RequestModel, ResponseModel, Whole, example
from api.v1.billing_terms.schemas import PlanName
from api.v1.customers.schemas import ReturnUrl
from api.v1.payments.schemas import MoneyView, money
from domain.billing.plan import MAX_SEATS, PREMIUM, Interval
from domain.billing.subscription.commands import Preview
from domain.billing.subscription.snapshot import Quote
from domain.billing.subscription.state import ChangeKind, Subscription, SubscriptionStatus, Terms
from domain.common.money import CREDIT, format_amount

Seats = Annotated[Whole, Field(ge=1, le=MAX_SEATS)]


class SubscriptionCreate(RequestModel):
    """A plan to subscribe to, paid with the default payment method at Stripe or on Stripe's page."""

    model_config = example(plan="starter", interval="month")

    plan: PlanName = Field(default=PREMIUM, description="The plan `premium`, if there is one, when left out.")
    interval: Interval = Interval.MONTH
    currency: Currency | None = Field(default=None, description="The currency of the billing terms when left out.")
    checkout: Flag = Field(default=False, description="Have the payer enter a payment method on Stripe's page.")
    return_url: ReturnUrl | None = Field(default=None, description="Where Stripe's page sends the payer back to.")
    max_amount: Amount | None = Field(
        default=None, description="Refuse to subscribe if a period costs more than this, without tax."
    )
    trial: Flag = Field(
        default=False,
        description="Start with the plan's trial. Needs a card. One trial for each organization and card.",
    )
    seats: Seats | None = Field(default=None, description="The number of seats, for a plan sold by the seat.")


class SubscriptionChange(RequestModel):
    """Another plan, another interval, or another number of seats."""

    model_config = example(plan="professional", max_amount="70.00")

    plan: PlanName
    interval: Interval | None = Field(default=None, description="The current interval when left out.")
    max_amount: Amount | None = Field(default=None, description="Refuse the change if more than this is due now.")
    seats: Seats | None = Field(default=None, description="The current seats when left out.")


class SubscriptionTermsView(ResponseModel):
    """The terms of a subscription."""

    plan: str
    interval: Interval
    price: MoneyView
    credits_per_month: Exact
    is_agreed_price: bool = Field(description="Whether the price was agreed with the organization.")
    net_days: int = Field(
        description="Days from a period's invoice to its due date; 0 if a period is charged when it begins."
    )
    seats: int | None = Field(
        description="Seats that were bought; the price is for all. Null on plans not sold by the seat."
    )

    @classmethod
    def of(cls, terms: Terms) -> "SubscriptionTermsView":
        return cls.from_row(
            terms,
            price=money(terms.amount_minor, terms.currency),
            credits_per_month=format_amount(terms.credits_minor, CREDIT),
            is_agreed_price=terms.is_agreed,
        )


class PendingChangeView(SubscriptionTermsView):
    """A change that has been ordered and has not taken effect."""

    kind: ChangeKind
    acts_at: datetime


class NextChargeView(ResponseModel):
    """The charge of the next period."""

    at: datetime = Field(description="When it is charged, or due on net terms.")
    price: MoneyView = Field(description="After lasting discounts, without tax that is added to the price.")

    @classmethod
    def of(cls, held: Subscription) -> "NextChargeView | None":
        terms = held.next_terms
        if terms is None or held.period is None or not terms.amount_minor:
            return None
        minor = held.recurring_minor if terms is held.terms else terms.amount_minor
        return cls(at=held.period.end + timedelta(days=terms.net_days), price=money(minor, terms.currency))


class SubscriptionView(SubscriptionTermsView):
    """A subscription."""

    id: str
    organization_id: str
    status: SubscriptionStatus
    period_start: datetime | None
    period_end: datetime | None
    cancel_at_period_end: bool
    pending_change: PendingChangeView | None
    next_charge: NextChargeView | None = Field(
        description="Paid with the default of `GET /billing/payment-methods`, or on net terms by invoice; null if the "
        "subscription ends before."
    )
    ended_at: datetime | None
    trial_ends_at: datetime | None
    checkout_url: str | None = Field(description="The page where the payer subscribes; null when not awaited.")
    checkout_expires_at: datetime | None
    pay_url: str | None = Field(description="Stripe's page to pay an amount due on net terms.")

    @classmethod
    def shown(cls, held: Subscription) -> "SubscriptionView":
        change, period = held.change, held.period
        pending = change and PendingChangeView(
            **SubscriptionTermsView.of(change.terms).model_dump(), kind=change.kind, acts_at=change.acts_at
        )
        return cls.from_row(
            held,
            **SubscriptionTermsView.of(held.terms).model_dump(),
            id=held.subscription_id,
            period_start=period and period.start,
            period_end=period and period.end,
            pending_change=pending,
            next_charge=NextChargeView.of(held),
            trial_ends_at=held.trial_end,
            checkout_url=held.checkout and held.checkout.url,
            checkout_expires_at=held.checkout and held.checkout.expires_at,
        )


class ChangePreview(SubscriptionTermsView):
    """Preview of a change."""

    kind: ChangeKind
    acts_at: datetime
    due: MoneyView = Field(description="The amount due now. Less than half a dollar is carried over to the next bill.")
    unused: MoneyView = Field(description="The credit for the rest of the old period, already deducted from `due`.")
    credits: Exact = Field(description="The credits granted once `due` is paid; none where nothing is due.")

    @classmethod
    def shown(cls, preview: Preview, quote: Quote | None) -> "ChangePreview":
        """Show a preview, with the provider's quote if there is one.

        Credits require a payment: a bill that a discount or the customer's balance pays grants none.
        """
        currency = preview.terms.currency
        unused = 0 if preview.proration is None else preview.proration.unused_minor
        due, credits = preview.due_minor, preview.credits_minor
        if quote is not None:
            due, unused = quote.due_minor, quote.unused_minor
            credits = credits if due > 0 else 0
        return cls.from_row(
            preview,
            **SubscriptionTermsView.of(preview.terms).model_dump(),
            due=money(due, currency),
            unused=money(unused, currency),
            credits=format_amount(credits, CREDIT),
        )
