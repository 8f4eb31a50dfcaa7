"""What was asked of an escrow and when it reached us, kept until the escrow's run has answered."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, Index, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.common.base import Base


class EscrowNotice(Base):
    """A command that was noted before it was sent to the run, so that it counts although the run was away.

    Written by whoever sends the command: the API, and a payment's freeze, and deleted when the API answers a refusal.
    Settled, once, when it was done or when a deadline found it refused. The platform's role alone reads and writes: a
    note moves money in a party's name. There is no foreign key, because it would make the note wait for whoever writes
    to the escrow.

    Attributes:
        command: the update's message.
        noted_at: when it reached us, by the database's clock.
        deadline_at: the escrow's next deadline at that moment; the note counts for this one only.
        settled_at: when it was done or refused; null while it stands.
    """

    __tablename__ = "escrow_notices"
    __table_args__ = (
        CheckConstraint(
            "name IN ('dispute', 'deliver', 'approve', 'refund', 'resolve', 'submit_evidence')", name="name"
        ),
        Index("ix_escrow_notices_escrow_id", "escrow_id", postgresql_where=text("settled_at IS NULL")),
        Index("ix_escrow_notices_settled_at", "settled_at", postgresql_where=text("settled_at IS NOT NULL")),
    )

    command_id: Mapped[str] = mapped_column(primary_key=True)
    escrow_id: Mapped[str]
    name: Mapped[str] = mapped_column(info={"holds": "technical"})
    command: Mapped[dict[str, Any]] = mapped_column(JSONB)
    noted_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    deadline_at: Mapped[datetime]
    settled_at: Mapped[datetime | None]
