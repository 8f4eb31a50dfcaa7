"""What suppressed addresses look like over HTTP."""

from datetime import datetime

from pydantic import Field

from api.fields import ResponseModel
from models.mail_suppression import MailSuppression


class MailSuppressionView(ResponseModel):
    """An address that no mail is sent to."""

    id: str
    address: str = Field(description="In lower case.")
    status: str = Field(description="Why, as its server said it: a code of RFC 3463.")
    suppressed_at: datetime
    lifted_at: datetime | None = Field(description="Since when mail goes there again.")
    lifted_by: str | None

    @classmethod
    def of(cls, row: MailSuppression) -> "MailSuppressionView":
        """Show a row."""
        return cls(
            id=row.id,
            address=row.address,
            status=row.status,
            suppressed_at=row.suppressed_at,
            lifted_at=row.lifted_at,
            lifted_by=row.lifted_by,
        )
