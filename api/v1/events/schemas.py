"""Schemas of events and their types, in the API and as webhooks of the OpenAPI document."""

from datetime import datetime
from typing import Any

from pydantic import Field

from api.fields import ResponseModel
from domain.messages.events import EventType
from domain.messages.events.catalogue import CATALOGUE
from models.messages.event import EventRow


class OutboxEventView(ResponseModel):
    """An event for an organization, in a response or in a webhook."""

    id: str
    type: str = Field(description="A type of the catalogue, such as `escrow.funded`.")
    organization_id: str
    subject: str = Field(description="The id of the object that the event is about.")
    subject_seq: int = Field(description="Its number among the organization's events about the subject.")
    at: datetime = Field(description="When it happened.")
    data: dict[str, Any] = Field(description="The data that the type's schema describes. Fields may be added.")

    @classmethod
    def of(cls, row: EventRow) -> "OutboxEventView":
        return cls(**row.document())


class EventTypeView(ResponseModel):
    """A type of events."""

    type: str
    description: str
    data_schema: dict[str, Any] = Field(description="The JSON Schema of the data, draft 2020-12.")
    example: dict[str, Any] = Field(description="The data of an example event.")

    @classmethod
    def of(cls, each: EventType) -> "EventTypeView":
        return cls.from_row(each, description=each.sentence, data_schema=each.schema)


class CatalogueView(ResponseModel):
    """All types of events."""

    data: list[EventTypeView]


def webhooks() -> dict[str, Any]:
    """Return the section `webhooks` of an OpenAPI document: the webhook of each event type."""
    return {each.type: {"post": _webhook(each)} for each in CATALOGUE.values()}


def _webhook(each: EventType) -> dict[str, Any]:
    again = {
        "type": "string",
        "format": "date-time",
        "description": "The same as `at`, under the name that Standard Webhooks uses.",
    }
    own = {"type": "object", "properties": {"type": {"const": each.type}, "data": each.schema, "timestamp": again}}
    example = {
        "id": "evt_01kar6x0qmf9rv4w7n2h8d3s5c",
        "type": each.type,
        "organization_id": "org_01kar6x0qmf9rv4w7n2h8d3s5c",
        "subject": str(next(iter(each.example.values()))),
        "subject_seq": 1,
        "at": "2026-03-01T12:00:00Z",
        "timestamp": "2026-03-01T12:00:00Z",
        "data": each.example,
    }
    return {
        "summary": each.type,
        "description": each.sentence,
        "tags": ["events"],
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": {"allOf": [{"$ref": "#/components/schemas/OutboxEventView"}, own]},
                    "example": example,
                }
            },
        },
        "responses": {
            "2XX": {"description": "The event was received. After any other answer, or none, it is sent again."}
        },
    }
