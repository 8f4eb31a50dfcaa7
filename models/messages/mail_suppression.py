"""Addresses that no mail is sent to, because it came back."""

from datetime import datetime

from sqlalchemy import CheckConstraint, Index, func, text
from sqlalchemy.orm import Mapped, mapped_column

from models.common.base import Base


class MailSuppression(Base):
    """One address, from when a mail to it came back until an operator lifts it. Written by the platform's role.

    Attributes:
        address: in lower case.
        status: why, as the address's server said it: a code of RFC 3463, `5.1.1`.
        lifted_at: since when mail goes there again; null while none does.
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
