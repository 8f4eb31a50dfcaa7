"""The outbox: every fact that somebody else must hear of, a row for each organization that may know of it."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, Index, UniqueConstraint, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from domain.messages.events.catalogue import with_api_times
from models.common.base import Base


class EventRow(Base):
    """One fact for one organization. Written by `repositories/messages/event.py` in its transaction; rows never change.

    Attributes:
        subject: the id of what the fact is about.
        subject_seq: its number among the events of the subject for the organization, taken under the subject's lock.
        at: when it happened, in business time.
        written_in: the transaction that wrote it, by which the outbox is read; see `repositories/messages/event.py`.
    """

    __tablename__ = "events"
    __table_args__ = (
        # By subject first, so that it is found by the subject alone.
        UniqueConstraint("subject", "org_id", "subject_seq", name="uq_events_subject"),
        CheckConstraint("pg_column_size(data) <= 20480", name="size"),
        Index("ix_events_written_in_id", "written_in", "id"),
        Index("ix_events_org_id_written_in_id", "org_id", "written_in", "id"),
        # A type that is rare is found without what lies between.
        Index("ix_events_org_id_type_written_in_id", "org_id", "type", "written_in", "id"),
    )

    id: Mapped[str] = mapped_column(primary_key=True, server_default=text("new_event_id()"))
    type: Mapped[str]
    org_id: Mapped[str]
    subject: Mapped[str]
    subject_seq: Mapped[int]
    at: Mapped[datetime] = mapped_column(server_default=func.now())
    data: Mapped[dict[str, Any]] = mapped_column(JSONB, info={"holds": "financial"})
    written_in: Mapped[int] = mapped_column(server_default=text("pg_current_xact_id()::text::bigint"))

    @property
    def facts(self) -> dict[str, Any]:
        """The data with its times in one form."""
        return with_api_times(self.type, self.data)

    def document(self) -> dict[str, Any]:
        """Return the event as it leaves the house, in an answer or in a webhook."""
        return {
            "id": self.id,
            "type": self.type,
            "organization_id": self.org_id,
            "subject": self.subject,
            "subject_seq": self.subject_seq,
            "at": self.at,
            "data": self.facts,
        }
