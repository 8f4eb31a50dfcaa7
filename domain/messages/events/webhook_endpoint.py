"""Events of webhook endpoints: the test event."""

from domain.messages.events import EventType, id_field
from domain.messages.webhook.endpoint import TEST

TYPES = (
    EventType(
        type=TEST,
        sentence="A test event, sent to one endpoint on request.",
        fields={"endpoint_id": id_field("whe", "The endpoint.")},
    ),
)
