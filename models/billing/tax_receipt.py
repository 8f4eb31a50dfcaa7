"""Tax documents of sales that are taxed when they are paid."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB, UUID as PG_UUID
from sqlalchemy.orm import Mapped, mapped_column

from models.common.base import Base


class TaxReceipt(Base):
    """Tax document of a movement of money or a sale, written with the payment's event that books it. Immutable.

    Amounts are minor units of `currency`: positive for received money, negative for refunds.

    Attributes:
        movement: the provider's key of the movement, or the event of a sale that takes the whole amount.
        number: in the series of receipts or, for refunds, of receipt notes.
        gross_minor: the amount received or refunded: `net_minor` and `tax_minor`.
        party: the buyer at that time.
        transfer_id: the transfer that booked it.
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
