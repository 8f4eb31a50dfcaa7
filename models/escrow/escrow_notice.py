"""Commands to escrows with the time of their receipt, kept until the workflow has responded."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, Index, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.common.base import Base


class EscrowNotice(Base):
    """A command stored before it was sent to the workflow, so that it counts even if no worker ran.

    Written by the sender (the API, or a payment that freezes its escrow), and deleted when the API responds with a
    refusal. Settled, once, when it was executed or when a deadline found it refused. Only the platform's role reads and
    writes, because a notice moves money in a party's name. There is no foreign key, because it would make the insert
    wait for transactions that write to the escrow.

    Attributes:
        command: the update's message.
        noted_at: the time of receipt, by the database's clock.
        deadline_at: the escrow's next deadline at that time, the only one that the notice counts for.
        settled_at: when it was executed or refused; null until then.
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
