"""Authorizations of cards, and the spends that pay for them. `services/cards` writes both, with the platform's role."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.dialects.postgresql import JSONB, UUID as PG_UUID
from sqlalchemy.orm import Mapped, mapped_column

from models.common.base import Base


class CardAuthorization(Base):
    """Authorization by a merchant. Amounts are in minor units of `currency`, the card's.

    Attributes:
        ref: the issuer's id of the authorization; for a capture or refund without one, of the transaction.
        status: `none` for a capture or refund without an authorization.
        amount_minor: the authorized amount at the issuer, captures included.
        merchant: `{"name", "category", "country", "city"}`.
        requests: the decisions in order: `{"amount_minor", "approved", "reason", "spend_id", "at"}`.
    """

    __tablename__ = "card_authorizations"
    __table_args__ = (
        CheckConstraint("status IN ('pending', 'declined', 'closed', 'reversed', 'expired', 'none')", name="status"),
        Index("ix_card_authorizations_card_id_id", "card_id", "id"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    org_id: Mapped[str]
    card_id: Mapped[str] = mapped_column(ForeignKey("cards.id"))
    ref: Mapped[str] = mapped_column(unique=True)
    status: Mapped[str]
    amount_minor: Mapped[int]
    currency: Mapped[str]
    merchant: Mapped[dict[str, Any]] = mapped_column(JSONB)
    requests: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, info={"holds": "financial"})
    created_at: Mapped[datetime]


class CardSpend(Base):
    """Spend of credits for a card: the hold of an approved request, or a forced charge.

    Attributes:
        amount_minor: in minor units of the card's currency, like the captured and refunded amounts. It is lowered to
            the captured amount if the held credits no longer pay the rest.
        credits: the credits held for the whole amount, in minor units.
        captured_credits: the captured part of them.
    """

    __tablename__ = "card_spends"
    __table_args__ = (
        CheckConstraint(
            "amount_minor > 0 AND credits > 0 AND captured_minor BETWEEN 0 AND amount_minor"
            " AND refunded_minor BETWEEN 0 AND captured_minor AND captured_credits BETWEEN 0 AND credits",
            name="amounts",
        ),
        Index("ix_card_spends_authorization_id", "authorization_id"),
        Index(
            "ix_card_spends_card_id_spend_id",
            "card_id",
            "spend_id",
            postgresql_where=text("refunded_minor < captured_minor"),
        ),
    )

    spend_id: Mapped[UUID] = mapped_column(PG_UUID(as_uuid=True), primary_key=True)
    org_id: Mapped[str]
    card_id: Mapped[str]
    authorization_id: Mapped[str] = mapped_column(ForeignKey("card_authorizations.id"))
    is_forced: Mapped[bool]
    amount_minor: Mapped[int]
    credits: Mapped[int]
    captured_minor: Mapped[int] = mapped_column(server_default=text("0"))
    captured_credits: Mapped[int] = mapped_column(server_default=text("0"))
    refunded_minor: Mapped[int] = mapped_column(server_default=text("0"))
