"""Suppressed mail addresses."""

from datetime import datetime

from sqlalchemy import CheckConstraint, Index, func, text
from sqlalchemy.orm import Mapped, mapped_column

from models.common.base import Base


class MailSuppression(Base):
    """An address, suppressed from a permanent bounce until an operator lifts it. Written by the platform's role.

    Attributes:
        address: in lower case.
        status: the code of its server by RFC 3463, such as `5.1.1`.
        lifted_at: when the suppression was lifted; null while it holds.
    """

    __tablename__ = "mail_suppressions"
    __table_args__ = (
        CheckConstraint("(lifted_at IS NULL) = (lifted_by IS NULL)", name="lifted"),
        Index("uq_mail_suppressions_address", "address", unique=True, postgresql_where=text("lifted_at IS NULL")),
        Index("ix_mail_suppressions_address", "address", "lifted_at"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    address: Mapped[str] = mapped_column(info={"holds": "contact"})
    status: Mapped[str]
    suppressed_at: Mapped[datetime] = mapped_column(server_default=func.now())
    lifted_at: Mapped[datetime | None]
    lifted_by: Mapped[str | None]
