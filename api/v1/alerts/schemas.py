"""What an alert looks like over HTTP."""

from datetime import datetime

from pydantic import Field

from api.fields import ResponseModel
from domain.access import Actor
from models.alert import Alert


class AlertView(ResponseModel):
    """An event that needs a person's attention."""

    id: str
    organization_id: str | None
    kind: str
    subject: str
    detail: str
    created_at: datetime
    acknowledged_at: datetime | None = Field(
        description="By an operator, or by `books` when its case was closed; for its organization, by itself as well."
    )
    acknowledged_by: str | None
    organization_acknowledged_at: datetime | None = Field(description="By the organization, for itself.")
    organization_acknowledged_by: str | None

    @classmethod
    def of(cls, row: Alert, reader: Actor) -> "AlertView":
        """Show a row to a reader: what an organization has seen is acknowledged to it, and to operators open."""
        own = not reader.is_platform and row.org_acknowledged_at is not None
        return cls(
            id=row.id,
            organization_id=row.org_id,
            kind=row.kind,
            subject=row.subject,
            detail=row.detail,
            created_at=row.created_at,
            acknowledged_at=row.org_acknowledged_at if own else row.acknowledged_at,
            acknowledged_by=row.org_acknowledged_by if own else row.acknowledged_by,
            organization_acknowledged_at=row.org_acknowledged_at,
            organization_acknowledged_by=row.org_acknowledged_by,
        )
