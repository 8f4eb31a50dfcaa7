"""Messages of webhook endpoints. They only grow: a new field has a default, a field is never renamed or removed."""

from datetime import datetime

from contracts.common.base import Message
from contracts.escrow.escrow import Declined, OperatorSignal
from domain.common.access import Actor
from domain.common.errors import Invalid
from domain.messages.webhook.endpoint import Endpoint, EndpointChange

#: The longest reason that is kept.
MAX_REASON = 500


class WebhookEndpointInput(Message):
    """Starts or continues the run of an endpoint, from the books."""

    endpoint_id: str
    resume: bool = True
    signals: int = 0


class DisableWebhookEndpoint(Message):
    command_id: str
    actor: Actor
    reason: str = ""

    def check(self) -> None:
        """Refuse a value that the API cannot send."""
        if len(self.reason) > MAX_REASON:
            raise Invalid(f"The reason must not be longer than {MAX_REASON} characters.", extra={"field": "reason"})


class WebhookEndpointResult(Message):
    endpoint_id: str
    status: str
    version: int


class WebhookNews(Message):
    """Reports that there may be something to send, or that the endpoint was changed."""


class WebhookEndpointSignal(OperatorSignal):
    """Pauses an endpoint, `{"pause": "whe_…"}`, resumes it, or skips one of its deliveries.

    The latter is `{"skip": "whe_…", "delivery": "whd_…"}`.
    """

    pause: object = None
    resume: object = None
    skip: object = None
    delivery: object = None
    reason: object = ""


class RecordWebhookEndpoint(Message):
    outcome: EndpointChange
    command_id: str
    actor: Actor | None = None
    at: datetime
    decided_from: str | None = None


class RecordedWebhookEndpoint(Message):
    """Whether this event is in the books; otherwise `stored` is the state that they hold."""

    applied: bool
    stored: Endpoint | None = None
    declined: Declined | None = None


class LoadWebhookEndpoint(Message):
    endpoint_id: str


class DrainWebhookEndpoint(Message):
    """Sends an endpoint's due deliveries. `at` is the time of the request, by the run's clock."""

    endpoint_id: str
    at: datetime


class DrainedWebhookEndpoint(Message):
    """What was sent, and what is left.

    Attributes:
        tried: how many requests were made, `delivered` of them with success.
        more: another drain is due at once.
        next_at: when the next delivery is due; None if none waits.
        waiting: how many wait, the oldest `since`; `why` is the last error of the next one.
        give_up: why the endpoint is given up, as `domain.messages.webhook.endpoint.GivenUp`.
        stopped: nothing is sent now: its status has changed, or another drain has it.
        at: the time of this result, by the run's clock.
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
    """Reads the outbox for `seconds`, and signals idle endpoints that have news."""

    seconds: int


class DispatchedWebhooks(Message):
    """How many endpoints were signalled, how often the outbox was read, and how many old responses were deleted."""

    looks: int = 0
    told: int = 0
    found_behind: int = 0
    forgotten: int = 0
