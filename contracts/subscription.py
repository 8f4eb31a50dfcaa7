"""Messages of subscriptions: what starts their workflow, what commands carry, what its activities take and return.

Messages only grow: a new field has a default, a field is never renamed or removed. Domain values travel as they are.
"""

from datetime import datetime

from pydantic import Field

from contracts.base import Message
from contracts.escrow import Declined, OperatorSignal
from domain.access import Actor
from domain.errors import Invalid
from domain.plan import Plans
from domain.subscription.snapshot import CheckoutPage, SubscriptionSnapshot
from domain.subscription.state import Billed, Grant, Request, Settled, Subscription, Terms


class SubscriptionInput(Message):
    """Starts or continues a subscription.

    With `resume` the run goes on from what the books hold; otherwise it begins with `subscription`, whose version is 0.
    `events` are the provider's events that wait for the next look at it.
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
        """Refuse a value that no caller of the API can send; asked at the door only, so never of a history."""


class Subscribe(SubscriptionCommand):
    """Waits until the provider has made the subscription, or has refused to."""


class ChangeSubscription(SubscriptionCommand):
    """Changes the plan or the interval.

    `plans` are all that there are, with their seats; `people` is how many seats are taken. More than `most_minor` is
    not to be charged now.
    """

    terms: Terms
    plans: Plans
    people: int
    most_minor: int | None = None

    def check(self) -> None:
        """Refuse terms that no plan has."""
        if self.terms.plan not in {plan.name for plan in self.plans.all} or self.terms.price_id is None:
            raise Invalid("The terms must be those of a plan with a price.", extra={"field": "plan"})


class CancelSubscription(SubscriptionCommand):
    """Ends it now, or when its period ends."""

    at_period_end: bool = True


class ResumeSubscription(SubscriptionCommand):
    """Withdraws what is to happen when the period ends."""


class SubscriptionResult(Message):
    """Where the subscription stands after a command, or when its run ends; the read model holds the rest.

    `declined` is the provider's word for why it did not do what this command ordered.
    """

    subscription_id: str
    status: str
    version: int
    declined: str | None = None


class SubscriptionEventSignal(Message):
    """Says that the provider has news; what they are is asked there. `event_id` names the row in the inbox."""

    event_id: str


class SubscriptionSignal(OperatorSignal):
    """`cancel`: ends it now; `look`: asks the provider now; `give_up`: what was ordered was not done there.

    The latter is `{"give_up": "sub_…", "reason": "…"}`.
    """

    cancel: object = None
    look: object = None
    give_up: object = None
    reason: object = ""


class SubscriptionSweepResult(Message):
    """How many subscriptions had something due, and how many of them had no run and got one."""

    waiting: int
    started: int


class RecordSubscription(Message):
    """One event to be written: the state after it, what it books, and the hash of the state that it was decided from.

    Without an `event` only the provider's events in `handled` are marked.
    """

    subscription: Subscription
    event: str | None
    actor: str
    command_id: str
    at: datetime
    actor_detail: Actor | None = None
    settled: tuple[Settled, ...] = ()
    grants: tuple[Grant, ...] = ()
    details: dict[str, object] = Field(default_factory=dict)
    decided_from: str | None = None
    handled: tuple[str, ...] = ()
    billed: tuple[Billed, ...] = ()


class RecordedSubscription(Message):
    """Whether this very event is in the books; otherwise `stored` is what they hold instead."""

    applied: bool
    stored: Subscription | None = None
    declined: Declined | None = None


class LoadSubscription(Message):
    """Names the subscription whose state is read."""

    subscription_id: str


class SubscriptionRequest(Message):
    """Has the provider do what is ordered, or say how the subscription stands there."""

    subscription: Subscription
    key: str


class SubscriptionResponse(Message):
    """What the provider answers: how it stands, that it has never had it, or why it does not do what was ordered.

    `page` is where the payer subscribes, and nothing else is known yet. `given_up` are bills whose invoices the books
    have as uncollectible.
    """

    snapshot: SubscriptionSnapshot | None = None
    page: CheckoutPage | None = None
    missing: bool = False
    declined: Declined | None = None
    unknown: str | None = None
    given_up: tuple[Request, ...] = ()
