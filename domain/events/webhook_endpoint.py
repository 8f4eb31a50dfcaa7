"""Events of webhook endpoints: the test event."""

from domain.events import EventType, an_id
from domain.webhook.endpoint import TEST

TYPES = (
    EventType(
        type=TEST,
        sentence="Somebody of the organization tries an endpoint out; no other endpoint gets it.",
        fields={"endpoint_id": an_id("whe", "The endpoint.")},
    ),
)
