"""Messages of webhook endpoints. They only grow: a new field has a default, a field is never renamed or removed."""

from datetime import datetime

from contracts.common.base import Message
from contracts.escrow.escrow import Declined, OperatorSignal
from domain.common.access import Actor
from domain.common.errors import Invalid
from domain.messages.webhook.endpoint import Endpoint, EndpointChange

#: The maximum length of a reason.
MAX_REASON = 500


class WebhookEndpointInput(Message):
    """Starts or continues the run of an endpoint, from the database."""

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
    """Result of a record: `applied` if this event is in the database; otherwise `stored` is their state."""

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
    """Result of a drain.

    Attributes:
        tried: the number of requests, `delivered` of them successful.
        more: whether another drain is due immediately.
        next_at: when the next delivery is due; None without one.
        waiting: the number of waiting deliveries, the oldest `since`; `why` is the last error of the next one.
        give_up: the reason to give the endpoint up, as `domain.messages.webhook.endpoint.GivenUp`.
        stopped: whether nothing is sent now, because its status has changed or another drain has it.
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
    """Reads the outbox for `seconds`, and signals idle endpoints with new events."""

    seconds: int


class DispatchedWebhooks(Message):
    """Result: number of reads of the outbox, of signalled endpoints, and of deleted old responses."""

    looks: int = 0
    told: int = 0
    found_behind: int = 0
    forgotten: int = 0
