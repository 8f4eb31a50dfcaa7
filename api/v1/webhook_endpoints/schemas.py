"""Schemas of webhook endpoints and deliveries."""

from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints

from api.fields import Flag, Moment, Note, OrganizationId, RequestModel, ResponseModel, example
from domain.messages.webhook.endpoint import MAX_DESCRIPTION, Ordering
from models.messages.webhook_endpoint import WebhookDeliveryRow, WebhookEndpointRow
from providers.notify.webhook import SigningKeys

_EXAMPLE_URL = "https://example.com/webhooks"
_URL = "An `https` address of the public internet, at port 443, or 1024 or higher."
_TYPES = 'Types of events of `GET /events/catalogue`, or `["*"]` for every type.'
#: An event type, checked against the catalogue.
TypeName = Annotated[str, StringConstraints(min_length=1, max_length=100)]
#: A URL, checked by `domain.messages.webhook.address`.
Url = Annotated[str, StringConstraints(min_length=1, max_length=4_000)]


class WebhookEndpointCreate(RequestModel):
    """A new webhook endpoint."""

    url: Url = Field(description=_URL, examples=[_EXAMPLE_URL])
    types: list[TypeName] = Field(max_length=200, description=_TYPES, examples=[["escrow.released"]])
    description: Note | None = Field(default=None, max_length=MAX_DESCRIPTION)
    ordering: Ordering = Field(
        default=Ordering.SUBJECT,
        description="`subject`: an event waits for earlier events about the same subject. `none`: no event waits.",
    )
    asymmetric: Flag = Field(
        default=False, description="Also sign with an Ed25519 key (`v1a`), whose public key the endpoint shows."
    )
    organization_id: OrganizationId | None = None

    model_config = example(url=_EXAMPLE_URL, types=["escrow.funded", "escrow.released"])


class WebhookEndpointUpdate(RequestModel):
    """Changes of a webhook endpoint. Fields that are left out stay as they are."""

    url: Url | None = Field(default=None, description=_URL)
    types: list[TypeName] | None = Field(default=None, max_length=200, description=_TYPES)
    description: Note | None = Field(default=None, max_length=MAX_DESCRIPTION)
    ordering: Ordering | None = None
    status: Literal["enabled", "disabled"] | None = Field(
        default=None, description="While it is disabled, nothing is sent, and events wait."
    )

    model_config = example(types=["*"], status="enabled")


class WebhookEndpointView(ResponseModel):
    """A webhook endpoint."""

    id: str
    organization_id: str
    url: str
    types: list[str]
    description: str | None
    ordering: str
    status: str
    reason: str | None = Field(description="Why it is paused or disabled.")
    public_key: str | None = Field(description="`whpk_…`: the public key that verifies signatures `v1a`.")
    failing_since: datetime | None = Field(description="The first failure since the last successful delivery.")
    slowed_until: datetime | None = Field(description="The receiver asked for a pause until this time.")
    delivered_at: datetime | None = Field(description="When the last successful delivery was.")
    created_at: datetime

    @classmethod
    def of(cls, row: WebhookEndpointRow) -> Self:
        return cls.from_row(row, reason=row.state["reason"], slowed_until=row.slow_until)


class WebhookEndpointCreated(WebhookEndpointView):
    """A webhook endpoint with its secret."""

    secret: str | None = Field(
        description=(
            "`whsec_…`: the secret that verifies signatures `v1`. It is in this response only; null in a replayed "
            "response."
        )
    )

    @classmethod
    def with_keys(cls, row: WebhookEndpointRow, keys: SigningKeys | None) -> Self:
        return cls.from_row(
            row, reason=row.state["reason"], slowed_until=row.slow_until, secret=None if keys is None else keys.secret
        )


class WebhookReplay(RequestModel):
    """The events to send again."""

    from_: Moment = Field(alias="from", description="From this time on; at most 30 days ago.")
    to: Moment = Field(description="Before this time; not in the future.")
    types: list[TypeName] | None = Field(
        default=None, max_length=200, description="Only events of these types; the endpoint's own types when left out."
    )
    only_failed: Flag = Field(default=False, description="Only events whose delivery failed.")

    model_config = example(**{"from": "2026-03-01T00:00:00Z", "to": "2026-03-02T00:00:00Z"})


class WebhookReplayed(ResponseModel):
    """The number of webhooks that are sent again."""

    deliveries: int


class WebhookTested(ResponseModel):
    """The test event that is sent."""

    type: str = Field(description="The type of the event. `GET …/deliveries` shows the outcome.")


class WebhookDeliveryView(ResponseModel):
    """The delivery of an event to an endpoint, and its status."""

    id: str
    endpoint_id: str
    event_id: str = Field(description="The `webhook-id` header of every try.")
    type: str
    subject: str
    subject_seq: int
    status: str
    tries: int = Field(description="The number of tries since it was last requested.")
    replays: int = Field(description="How often it was requested again.")
    next_try_at: datetime | None = Field(
        description="When it is tried next, unless it still waits for earlier events about its subject."
    )
    last_try_at: datetime | None
    status_code: int | None = Field(description="The status code of the last response; null if there was none.")
    error: str | None = Field(description="Why there was no response.")
    answer: str | None = Field(description="The beginning of the last response, kept for 30 days.")
    delivered_at: datetime | None
    created_at: datetime

    @classmethod
    def of(cls, row: WebhookDeliveryRow) -> Self:
        return cls.from_row(row, next_try_at=row.next_at, last_try_at=row.tried_at)
