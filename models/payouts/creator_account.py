"""Payout accounts of organizations."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, Text, func
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from models.common.base import Base


class CreatorAccountRow(Base):
    """An organization's payout account, as its provider last reported it. Written by the platform's role.

    Attributes:
        destination: a fingerprint of the bank account, never its number.
        destination_changed_at: when this destination was first reported; null while there is none.
        seen_at: when the provider was read; older reads do not overwrite it.
    """

    __tablename__ = "creator_accounts"
    __table_args__ = (Index("uq_creator_accounts_provider_ref", "provider", "ref", unique=True),)

    org_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"), primary_key=True)
    provider: Mapped[str]
    ref: Mapped[str]
    country: Mapped[str]
    details_submitted: Mapped[bool]
    transfers_enabled: Mapped[bool]
    payouts_enabled: Mapped[bool]
    tax_profile: Mapped[bool]
    requirements_due: Mapped[list[str]] = mapped_column(ARRAY(Text))
    disabled_reason: Mapped[str | None]
    destination: Mapped[str | None]
    destination_last4: Mapped[str | None]
    destination_currency: Mapped[str | None] = mapped_column(info={"holds": "technical"})
    destination_changed_at: Mapped[datetime | None]
    seen_at: Mapped[datetime]
    created_by: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
