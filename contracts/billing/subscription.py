"""Messages of subscriptions: what starts their workflow, what commands carry, what its activities take and return.

Messages only grow: a new field has a default, a field is never renamed or removed. Domain values travel as they are.
"""

from datetime import datetime

from pydantic import Field

from contracts.common.base import Message
from contracts.escrow.escrow import Declined, OperatorSignal
from domain.billing.plan import Plans
from domain.billing.subscription.snapshot import CheckoutPage, SubscriptionSnapshot
from domain.billing.subscription.state import (
    CreditGrant,
    NetTermsBill,
    PaymentRequest,
    SettledBill,
    Subscription,
    Terms,
)
from domain.common.access import Actor
from domain.common.errors import Invalid


class SubscriptionInput(Message):
    """Starts or continues a subscription.

    With `resume` the run continues from the books; otherwise it begins with `subscription`, whose version is 0.
    `events` are the provider's events that wait for the next refresh.
    """

    subscription: Subscription
    created_by: Actor
    command_id: str
    resume: bool = False
    signals: int = 0
    events: tuple[str, ...] = ()


class SubscriptionCommand(Message):
    """What every command carries: its identity, made from the caller's key, and who gives it."""

    command_id: str
    actor: Actor

    def check(self) -> None:
        """Refuse a value that the API cannot send. Only validators call it, so it never runs in a replay."""


class Subscribe(SubscriptionCommand):
    """Waits until the provider has created the subscription, or has refused."""


class ChangeSubscription(SubscriptionCommand):
    """Changes the plan or the interval.

    `plans` are all plans, with their seats; `people` is the number of seats in use. At most `most_minor` may be charged
    now.
    """

    terms: Terms
    plans: Plans
    people: int
    most_minor: int | None = None

    def check(self) -> None:
        if self.terms.plan not in {plan.name for plan in self.plans.all} or self.terms.price_id is None:
            raise Invalid("The terms must be those of a plan with a price.", extra={"field": "plan"})


class CancelSubscription(SubscriptionCommand):
    at_period_end: bool = True


class ResumeSubscription(SubscriptionCommand):
    """Revokes a change or cancellation at the end of the period."""


class SubscriptionResult(Message):
    """The subscription's state after a command, or when its run ends; the read model holds the rest.

    `declined` is the provider's reason for declining this command.
    """

    subscription_id: str
    status: str
    version: int
    declined: str | None = None


class SubscriptionEventSignal(Message):
    """Reports that the provider has news, which are read there. `event_id` names the row in the inbox."""

    event_id: str


class SubscriptionSignal(OperatorSignal):
    """`cancel`: ends it now; `look`: refreshes it now; `give_up`: the request was not done at the provider.

    The latter is `{"give_up": "sub_…", "reason": "…"}`.
    """

    cancel: object = None
    look: object = None
    give_up: object = None
    reason: object = ""


class RecordSubscription(Message):
    """One event to write: the state after it, its bookings, and the hash of the state that it was decided from.

    Without an `event` only the provider's events in `handled` are marked.
    """

    subscription: Subscription
    event: str | None
    actor: str
    command_id: str
    at: datetime
    actor_detail: Actor | None = None
    settled: tuple[SettledBill, ...] = ()
    grants: tuple[CreditGrant, ...] = ()
    details: dict[str, object] = Field(default_factory=dict)
    decided_from: str | None = None
    handled: tuple[str, ...] = ()
    billed: tuple[NetTermsBill, ...] = ()


class RecordedSubscription(Message):
    """Whether this event is in the books; otherwise `stored` is the state that they hold."""

    applied: bool
    stored: Subscription | None = None
    declined: Declined | None = None


class LoadSubscription(Message):
    subscription_id: str


class SubscriptionRequest(Message):
    subscription: Subscription
    key: str


class SubscriptionResponse(Message):
    """The provider's response: the subscription, that it never had it, or why it declined.

    `page` is the hosted page where the payer subscribes; nothing else is known then. `given_up` are bills whose
    invoices are uncollectible in the books. `suspended`: a look found the organization suspended.
    """

    snapshot: SubscriptionSnapshot | None = None
    page: CheckoutPage | None = None
    missing: bool = False
    declined: Declined | None = None
    unknown: str | None = None
    given_up: tuple[PaymentRequest, ...] = ()
    suspended: bool = False
