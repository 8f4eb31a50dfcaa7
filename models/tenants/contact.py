"""Mail contacts of organizations."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.common.base import Base


class OrganizationContacts(Base):
    """Contacts of an organization, in one row, so that they change together. Written by the organization.

    Attributes:
        language: of its mails.
        contacts: `[{"email", "purposes"}]`.
        version: counts changes, by a trigger.
        command_id: the idempotency key of the last change.
    """

    __tablename__ = "organization_contacts"

    org_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"), primary_key=True)
    language: Mapped[str]
    contacts: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    updated_by: Mapped[str]
    updated_at: Mapped[datetime]
    version: Mapped[int] = mapped_column(server_default=text("1"))
    command_id: Mapped[str | None]
