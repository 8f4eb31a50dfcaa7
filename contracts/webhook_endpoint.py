"""Messages of webhook endpoints. They only grow: a new field has a default, a field is never renamed or removed."""

from datetime import datetime

from pydantic import Field

from contracts.base import Message
from contracts.escrow import Declined, OperatorSignal
from domain.access import Actor
from domain.errors import Invalid
from domain.webhook.endpoint import Endpoint

#: The longest reason that is kept.
MAX_REASON = 500


class WebhookEndpointInput(Message):
    """Starts or continues the run of an endpoint, which goes on from what the books hold."""

    endpoint_id: str
    resume: bool = True
    signals: int = 0


class DisableWebhookEndpoint(Message):
    """Has nothing sent to an endpoint until it is enabled again."""

    command_id: str
    actor: Actor
    reason: str = ""

    def check(self) -> None:
        """Refuse a value that no caller of the API can send."""
        if len(self.reason) > MAX_REASON:
            raise Invalid(f"The reason must not be longer than {MAX_REASON} characters.", extra={"field": "reason"})


class WebhookEndpointResult(Message):
    """Where an endpoint stands."""

    endpoint_id: str
    status: str
    version: int


class WebhookNews(Message):
    """Says that there may be something to send, or that the endpoint was changed."""


class WebhookEndpointSignal(OperatorSignal):
    """Has an endpoint paused, `{"pause": "whe_…"}`, resumed, or one of its deliveries left out.

    The latter is `{"skip": "whe_…", "delivery": "whd_…"}`.
    """

    pause: object = None
    resume: object = None
    skip: object = None
    delivery: object = None
    reason: object = ""


class RecordWebhookEndpoint(Message):
    """One event to be written: the state after it, and the hash of the state that it was decided from."""

    endpoint: Endpoint
    event: str
    command_id: str
    actor: str
    actor_detail: Actor | None = None
    details: dict[str, object] = Field(default_factory=dict)
    at: datetime
    decided_from: str | None = None


class RecordedWebhookEndpoint(Message):
    """Whether this very event is in the books; otherwise `stored` is what they hold instead."""

    applied: bool
    stored: Endpoint | None = None
    declined: Declined | None = None


class LoadWebhookEndpoint(Message):
    """Asks for the state that the books hold."""

    endpoint_id: str


class DrainWebhookEndpoint(Message):
    """Has everything sent that is due at an endpoint. `at` is when that was asked for, by the run's clock."""

    endpoint_id: str
    at: datetime


class DrainedWebhookEndpoint(Message):
    """What was sent, and what is left.

    Attributes:
        tried: how many requests were made, `delivered` of them with success.
        more: there is something to do at once.
        next_at: when the next delivery is due; None where none waits.
        waiting: how many wait, the oldest `since`; `why` says what the next of them met last.
        give_up: why nothing is to be sent any more, as `domain.webhook.endpoint.GivenUp`.
        stopped: nothing is sent now: the books have another status, or somebody else drains it.
        at: when this was so, by the run's clock.
    """

    tried: int = 0
    delivered: int = 0
    more: bool = False
    next_at: datetime | None = None
    waiting: int = 0
    since: datetime | None = None
    why: str | None = None
    give_up: str | None = None
    stopped: bool = False
    at: datetime | None = None


class DispatchWebhooks(Message):
    """Asks for the outbox to be read for so many seconds, and for idle endpoints to be signalled that have news."""

    seconds: int


class DispatchedWebhooks(Message):
    """How many endpoints were told, how often, and how many answers were old enough to be forgotten."""

    looks: int = 0
    told: int = 0
    found_behind: int = 0
    forgotten: int = 0
