"""Schemas of the inbox."""

from datetime import datetime
from enum import StrEnum
from typing import Self

from pydantic import Field

from api.fields import ResponseModel
from models.payments.provider_event import ProviderEventRow


class InboxStatus(StrEnum):
    """The status of an event in the inbox."""

    RECEIVED = "received"
    FORWARDED = "forwarded"
    HANDLED = "handled"
    IGNORED = "ignored"
    UNMATCHED = "unmatched"


class InboxEventView(ResponseModel):
    """A webhook that a provider has sent, without its content: the object is read at the provider."""

    id: str = Field(description="Its number in the inbox.")
    provider: str
    event_id: str = Field(description="The provider's id of the event.")
    type: str = Field(description="The provider's name of the type.")
    status: str = Field(
        description="`received`; `forwarded` to the run of its payment or subscription; `handled`; `ignored`, because "
        "nothing depends on it; `unmatched`: it is about an object that Bursar does not know, of which operators get "
        "the alert `webhook.unmatched`."
    )
    payment_id: str | None
    references: list[str] = Field(description="The provider's ids of objects that the event names.")
    livemode: bool
    occurred_at: datetime
    received_at: datetime
    handled_at: datetime | None = Field(description="When its effect was booked; null until then.")

    @classmethod
    def of(cls, row: ProviderEventRow) -> Self:
        return cls.from_row(row, id=str(row.id), references=row.refs)
