"""Cards that agents pay with. `services/cards/card.py` writes them, with the platform's role."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.common.base import Base


class Card(Base):
    """Virtual card of an agent, or of one purchase order. Its number is stored at the issuer only.

    Attributes:
        order_id: the purchase order of the card; null for a card of the agent.
        per_authorization_minor, per_month_minor: limits in minor units of `currency`, at the issuer as well.
        categories: the merchants' categories that the issuer allows; empty allows all.
        status: `pending` until the issuer has created it.
        ref: the issuer's id.
    """

    __tablename__ = "cards"
    __table_args__ = (
        CheckConstraint("per_authorization_minor > 0 AND per_month_minor > 0", name="limits"),
        CheckConstraint("status IN ('pending', 'active', 'frozen', 'closed')", name="status"),
        CheckConstraint("status IN ('pending', 'closed') OR num_nulls(ref, last4) = 0", name="made"),
        Index("ix_cards_org_id_id", "org_id", "id"),
        Index("ix_cards_org_id_agent_id_id", "org_id", "agent_id", "id"),
        Index("uq_cards_order_id", "order_id", unique=True, postgresql_where=text("status <> 'closed'")),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    org_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"))
    agent_id: Mapped[str] = mapped_column(ForeignKey("agents.id"))
    order_id: Mapped[str | None] = mapped_column(ForeignKey("purchase_orders.id"))
    name: Mapped[str] = mapped_column(info={"holds": "free_text"})
    currency: Mapped[str]
    per_authorization_minor: Mapped[int | None]
    per_month_minor: Mapped[int | None]
    categories: Mapped[list[str]] = mapped_column(JSONB)
    status: Mapped[str]
    ref: Mapped[str | None] = mapped_column(unique=True)
    brand: Mapped[str | None]
    last4: Mapped[str | None]
    expires_year: Mapped[int | None] = mapped_column(Integer)
    expires_month: Mapped[int | None] = mapped_column(Integer)
    created_by: Mapped[str]
    command_id: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
