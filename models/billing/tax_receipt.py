"""Tax documents of sales that are taxed when they are paid."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB, UUID as PG_UUID
from sqlalchemy.orm import Mapped, mapped_column

from models.common.base import Base


class TaxReceipt(Base):
    """What a movement of money or a sale was taxed, written once with the payment's event that books it.

    Amounts are minor units of `currency`: above zero where money came in, below where it went back.

    Attributes:
        movement: the provider's key of the movement, or the event of a sale that takes the whole amount.
        number: of the series of receipts, or of that of receipt notes where money went back.
        gross_minor: what came in, or went back: `net_minor` and `tax_minor`.
        party: who bought, as it was then.
        transfer_id: that booked it.
    """

    __tablename__ = "tax_receipts"
    __table_args__ = (
        CheckConstraint("gross_minor <> 0 AND gross_minor = net_minor + tax_minor", name="amounts"),
        UniqueConstraint("payment_id", "movement", name="uq_tax_receipts_movement"),
        Index("ix_tax_receipts_org_id_id", "org_id", "id"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    org_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"))
    payment_id: Mapped[str] = mapped_column(ForeignKey("payments.id"))
    movement: Mapped[str] = mapped_column(info={"holds": "identifier"})
    number: Mapped[str] = mapped_column(unique=True)
    series: Mapped[str]
    currency: Mapped[str]
    gross_minor: Mapped[int]
    net_minor: Mapped[int]
    tax_minor: Mapped[int]
    tax_code: Mapped[str]
    category: Mapped[str]
    rate_e6: Mapped[int]
    party: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    transfer_id: Mapped[UUID] = mapped_column(PG_UUID(as_uuid=True), unique=True)
    issued_at: Mapped[datetime]
