"""Captures and refunds of cards. `services/cards/card_transaction.py` writes them, with the platform's role."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, false, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.common.base import Base


class CardTransaction(Base):
    """Capture or refund by a merchant, once for each `ref`, the issuer's id.

    Attributes:
        beyond_minor: of a capture, the amount beyond the authorization; of a refund, the unmatched amount.
        is_booked: whether its movement of the platform's balance at the issuer is in the books.
        returned_minor: the amount refunded after a won dispute.
    """

    __tablename__ = "card_transactions"
    __table_args__ = (
        CheckConstraint("kind IN ('capture', 'refund')", name="kind"),
        CheckConstraint(
            "amount_minor > 0 AND beyond_minor BETWEEN 0 AND amount_minor"
            " AND returned_minor BETWEEN 0 AND amount_minor",
            name="amounts",
        ),
        Index("ix_card_transactions_authorization_id", "authorization_id"),
    )

    ref: Mapped[str] = mapped_column(primary_key=True)
    org_id: Mapped[str]
    card_id: Mapped[str]
    authorization_id: Mapped[str] = mapped_column(ForeignKey("card_authorizations.id"))
    kind: Mapped[str] = mapped_column(info={"holds": "financial"})
    amount_minor: Mapped[int]
    beyond_minor: Mapped[int]
    currency: Mapped[str]
    merchant: Mapped[dict[str, Any]] = mapped_column(JSONB)
    is_booked: Mapped[bool] = mapped_column(server_default=false())
    dispute_ref: Mapped[str | None]
    dispute_status: Mapped[str | None]
    returned_minor: Mapped[int] = mapped_column(server_default=text("0"))
    occurred_at: Mapped[datetime]
