"""What an alert looks like over HTTP."""

from datetime import datetime

from api.fields import ResponseModel
from models.alert import Alert


class AlertView(ResponseModel):
    """An event that needs a person's attention."""

    id: str
    organization_id: str | None
    kind: str
    subject: str
    detail: str
    created_at: datetime
    acknowledged_at: datetime | None
    acknowledged_by: str | None

    @classmethod
    def of(cls, row: Alert) -> "AlertView":
        """Show a row."""
        return cls(
            id=row.id,
            organization_id=row.org_id,
            kind=row.kind,
            subject=row.subject,
            detail=row.detail,
            created_at=row.created_at,
            acknowledged_at=row.acknowledged_at,
            acknowledged_by=row.acknowledged_by,
        )
