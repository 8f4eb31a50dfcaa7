"""Schemas of suppressed mail addresses."""

from datetime import datetime

from pydantic import Field

from api.fields import ResponseModel
from models.messages.mail_suppression import MailSuppression


class MailSuppressionView(ResponseModel):
    """A suppressed mail address."""

    id: str
    address: str = Field(description="The address in lower case.")
    status: str = Field(description="The reason that its server gave: a code of RFC 3463.")
    suppressed_at: datetime
    lifted_at: datetime | None = Field(description="When the suppression was lifted; null while it holds.")
    lifted_by: str | None

    @classmethod
    def of(cls, row: MailSuppression) -> "MailSuppressionView":
        return cls.from_row(row)
