"""Idempotency keys of clients, with the first response to each."""

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, Index, Integer, LargeBinary, text
from sqlalchemy.orm import Mapped, mapped_column

from models.common.base import Base


class IdempotencyKey(Base):
    """An idempotency key of a client, in the scope of its organization, or of `platform`.

    Written by the functions of `repositories/sql/common/idempotency.sql`: claimed as `running` with a lease before the
    action, `done` with the response after it. Rows are deleted after a temporary refusal, and after 30 days.
    """

    __tablename__ = "idempotency_keys"
    __table_args__ = (
        CheckConstraint("state IN ('running', 'done')", name="state"),
        CheckConstraint("(state = 'done') = (status IS NOT NULL)", name="answer"),
        Index("ix_idempotency_keys_created_at", "created_at"),
    )

    scope: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    request_hash: Mapped[bytes] = mapped_column(LargeBinary)
    state: Mapped[str] = mapped_column(info={"holds": "technical"})
    owner: Mapped[str]
    locked_until: Mapped[datetime]
    status: Mapped[int | None] = mapped_column(Integer)
    content_type: Mapped[str | None]
    body: Mapped[bytes | None] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    #: Version of the object in the response, if it has one.
    version: Mapped[int | None] = mapped_column(BigInteger)
