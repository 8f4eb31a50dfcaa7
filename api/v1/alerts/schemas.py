"""Schemas of alerts."""

from collections.abc import Mapping
from datetime import datetime

from pydantic import Field

from api.fields import Moment, RequestModel, ResponseModel, example
from domain.common.access import Actor
from domain.messages.alert.life import AlertStatus, Severity
from domain.messages.mentions import ids_in
from models.messages.alert import Alert


class AlertView(ResponseModel):
    """An event that needs a person's attention."""

    id: str
    organization_id: str | None
    kind: str
    subject: str
    detail: str
    names: dict[str, str] = Field(
        description="The names of its organization, and of objects in subject and detail, by id."
    )
    severity: Severity
    status: AlertStatus = Field(
        description="The status for the reader: an organization acknowledges alerts for itself only."
    )
    for_operators: bool = Field(
        description="Whether an operator should handle it; if not, its organization resolves it."
    )
    rule_id: str | None = Field(description="The rule that raised it; null if none did.")
    window: str | None = Field(description="The window of the rule in which it was raised.")
    created_at: datetime
    acknowledged_at: datetime | None = Field(
        description=(
            "When an operator acknowledged it, or `books` when its case was closed. For its organization, also when "
            "it did so itself."
        )
    )
    acknowledged_by: str | None
    organization_acknowledged_at: datetime | None = Field(
        description="When the organization acknowledged it for itself."
    )
    organization_acknowledged_by: str | None
    snoozed_until: datetime | None = Field(description="The end of the snooze for the reader's side.")
    resolved_at: datetime | None
    resolved_by: str | None = Field(description="Who resolved it; `books` if a booking closed its case.")

    @classmethod
    def of(cls, row: Alert, reader: Actor, names: Mapping[str, str]) -> "AlertView":
        """Show a row to a reader; an organization's acknowledgement counts for itself, not for operators."""
        tenant = not reader.is_platform
        own = tenant and row.org_acknowledged_at is not None
        status = AlertStatus(row.status)
        return cls.from_row(
            row,
            names={
                each: names[each]
                for each in sorted(ids_in((row.subject, row.detail, row.org_id or "")))
                if each in names
            },
            status=AlertStatus.ACKNOWLEDGED if own and status is AlertStatus.FIRING else status,
            acknowledged_at=row.org_acknowledged_at if own else row.acknowledged_at,
            acknowledged_by=row.org_acknowledged_by if own else row.acknowledged_by,
            organization_acknowledged_at=row.org_acknowledged_at,
            organization_acknowledged_by=row.org_acknowledged_by,
            snoozed_until=row.org_snoozed_until if tenant else row.snoozed_until,
        )


def mentioned(row: Alert) -> frozenset[str]:
    return ids_in((row.subject, row.detail, row.org_id or ""))


class AlertSnooze(RequestModel):
    """The snooze of an alert's notifications."""

    until: Moment = Field(description="A time in the future, at most 30 days away.")

    model_config = example(until="2026-03-02T08:00:00Z")
