"""Cardholders. `services/cards/card.py` writes them, with the platform's role."""

from datetime import datetime

from sqlalchemy import ForeignKey, func
from sqlalchemy.orm import Mapped, mapped_column

from models.common.base import Base


class Cardholder(Base):
    """Organization as a cardholder at the issuer; `ref` is the issuer's id. Immutable."""

    __tablename__ = "cardholders"

    org_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"), primary_key=True)
    ref: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
