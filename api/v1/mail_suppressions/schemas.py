"""What suppressed addresses look like over HTTP."""

from datetime import datetime

from pydantic import Field

from api.fields import ResponseModel
from models.messages.mail_suppression import MailSuppression


class MailSuppressionView(ResponseModel):
    """An address to which no mail is sent."""

    id: str
    address: str = Field(description="The address in lower case.")
    status: str = Field(description="The reason that its server gave: a code of RFC 3463.")
    suppressed_at: datetime
    lifted_at: datetime | None = Field(description="Since when mail is sent there again; null while it is not.")
    lifted_by: str | None

    @classmethod
    def of(cls, row: MailSuppression) -> "MailSuppressionView":
        return cls.from_row(row)
