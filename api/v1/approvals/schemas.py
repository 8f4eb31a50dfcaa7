"""Response schemas of approvals."""

from datetime import datetime
from typing import Any, Self

from api.fields import ResponseModel
from domain.common.approval import ApprovalStatus, status_of
from models.common.approval import Approval


class ApprovalView(ResponseModel):
    """A request of one operator, and the decision of another one."""

    id: str
    action: str
    subject: str
    content: dict[str, Any]
    status: str
    requested_by: str
    requested_at: datetime
    expires_at: datetime
    decided_by: str | None
    decided_at: datetime | None
    used_at: datetime | None

    @classmethod
    def of(cls, row: Approval, now: datetime) -> Self:
        return cls.from_row(row, status=status_of(ApprovalStatus(row.status), row.expires_at, now).value)
