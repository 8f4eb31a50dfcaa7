"""Mails that wait to be sent, and what became of them."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, Text, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base


class QueuedMail(Base):
    """One mail to an organization. Queued in the transaction of its fact by whoever books that, sent by the platform.

    What it says and to whom never changes; only `recipients` of a mail that found no contact are filled in later.

    Attributes:
        key: what makes the mail one: queueing it again with the same key changes nothing.
        kind: see `domain.mail.MailKind`.
        data: the values of its words.
        recipients: the addresses as they were when it was queued.
        reached: those of them whose server took it, or refused it for good.
        attempts: how often it was tried; `next_attempt_at` is when it is again.
        problem: why it is not with everybody, as the mail server said; null while nothing went wrong.
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
    reached: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default=text("'{}'"))
    status: Mapped[str] = mapped_column(server_default="queued")
    attempts: Mapped[int] = mapped_column(server_default=text("0"))
    problem: Mapped[str | None]
    queued_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    next_attempt_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    sent_at: Mapped[datetime | None]
