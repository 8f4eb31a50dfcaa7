"""Response schemas of the audit trail."""

from datetime import datetime
from typing import Any

from pydantic import Field

from api.fields import ResponseModel
from domain.common.access import Actor
from models.tenants.audit import AuditEntry


class AuditView(ResponseModel):
    """One privileged action. Only the actor's organization and the platform see key, session, request and address."""

    id: str
    at: datetime
    organization_id: str | None
    principal: str
    role: str
    actor_organization_id: str | None
    key_id: str | None
    session_id: str | None = Field(description="The session in which it was done; null if it was done with a key.")
    made_by: str | None = Field(description="Who made the link that opened the session.")
    action: str
    target: str
    request_id: str | None
    address: str | None
    details: dict[str, Any]

    @classmethod
    def of(cls, row: AuditEntry, viewer: Actor) -> "AuditView":
        """Build the view from a row. A tenant does not see key and address of another organization's action."""
        whole = viewer.is_platform or row.actor_org_id == viewer.org_id
        return cls.from_row(
            row,
            id=str(row.id),
            actor_organization_id=row.actor_org_id,
            key_id=row.key_id if whole else None,
            session_id=row.session_id if whole else None,
            request_id=row.request_id if whole else None,
            address=row.address if whole else None,
        )
