"""Models that score acts."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, Index, Integer, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.common.base import Base


class RiskModel(Base):
    """A trained model. Immutable but for its status.

    Attributes:
        status: `challenger` (scores in shadow), `champion` (the one whose score rules see) or `retired`.
        document: trees and features, see `domain.risk.score`.
        report: of the training: figures of the later weeks against rules and champion, and of newcomers.
    """

    __tablename__ = "risk_models"
    __table_args__ = (
        CheckConstraint("status IN ('challenger', 'champion', 'retired')", name="status"),
        Index("uq_risk_models_champion", "status", unique=True, postgresql_where=text("status = 'champion'")),
    )

    version: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    status: Mapped[str]
    document: Mapped[dict[str, Any]] = mapped_column(JSONB)
    report: Mapped[dict[str, Any]] = mapped_column(JSONB)
    created_at: Mapped[datetime]
