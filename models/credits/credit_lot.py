"""Credit lots: the source and expiry of granted credits."""

import uuid
from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, func, text
from sqlalchemy.orm import Mapped, mapped_column

from models.common.base import Base


class CreditLot(Base):
    """A grant of credits. Written by the platform in the transaction of its ledger transfer; rows are immutable.

    It records the grant, its price and its payment only; `ledger.lots` has the remaining credits. Of `amount_minor`
    credits, `debt_minor` paid a debt of the organization on arrival.
    """

    __tablename__ = "credit_lots"
    __table_args__ = (
        CheckConstraint("amount_minor > 0", name="amount"),
        CheckConstraint("debt_minor BETWEEN 0 AND amount_minor", name="debt"),
        Index("ix_credit_lots_org_id", "org_id", "expires_at"),
        Index("ix_credit_lots_org_id_id", "org_id", "id"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    org_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"))
    source: Mapped[str] = mapped_column(info={"holds": "financial"})
    amount_minor: Mapped[int]
    expires_at: Mapped[datetime | None]
    note: Mapped[str | None]
    payment_id: Mapped[str | None]
    paid_minor: Mapped[int | None]
    paid_currency: Mapped[str | None]
    transfer_id: Mapped[uuid.UUID] = mapped_column(unique=True)
    created_by: Mapped[str]
    command_id: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    debt_minor: Mapped[int] = mapped_column(server_default=text("0"))
