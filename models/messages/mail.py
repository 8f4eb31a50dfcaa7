"""Outgoing mail queue, with the result of each delivery."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, Text, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.common.base import Base


class QueuedMail(Base):
    """A mail to an organization. Queued in the transaction of the fact; sent by the platform.

    Content and recipients never change, except that `recipients` is filled in later if the organization had no contact
    when the mail was queued.

    Attributes:
        key: the idempotency key: queueing again with the same key changes nothing.
        kind: see `domain.common.mail.MailKind`.
        data: the template's values.
        recipients: the addresses at the time it was queued.
        reached: finished recipients, whose server accepted the mail or refused it permanently.
        attempts: the number of attempts; `next_attempt_at` is the time of the next one.
        problem: the mail server's latest error; null without one.
    """

    __tablename__ = "mails"
    __table_args__ = (
        CheckConstraint("status IN ('queued', 'sent', 'failed')", name="status"),
        CheckConstraint("(sent_at IS NOT NULL) = (status = 'sent')", name="sent"),
        Index("ix_mails_due", "next_attempt_at", "id", postgresql_where=text("status = 'queued'")),
        Index("ix_mails_org_id_id", "org_id", "id"),
        Index("ix_mails_contacts_changed", "queued_at", postgresql_where=text("kind = 'contacts_changed'")),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(unique=True)
    org_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"))
    kind: Mapped[str]
    data: Mapped[dict[str, Any]] = mapped_column(JSONB)
    language: Mapped[str]
    recipients: Mapped[list[str]] = mapped_column(ARRAY(Text))
    reached: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default=text("'{}'"), info={"holds": "contact"})
    status: Mapped[str] = mapped_column(server_default="queued")
    attempts: Mapped[int] = mapped_column(server_default=text("0"))
    problem: Mapped[str | None]
    queued_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    next_attempt_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    sent_at: Mapped[datetime | None]
