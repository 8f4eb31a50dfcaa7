"""Monthly statements of creators."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base


class CreatorStatement(Base):
    """What a creator earned in a month, worth in one currency, as it was stated; written once and never changed.

    Attributes:
        month: its first day, in UTC.
        number: of the series of statements.
        total_minor: what was earned, in minor units of `currency`.
        tax_code: what is stated of tax, see `domain.tax.self_billing`.
        content: see `domain.document.content.Document.as_stored`.
    """

    __tablename__ = "creator_statements"
    __table_args__ = (UniqueConstraint("org_id", "month", "currency", name="uq_creator_statements_month"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    org_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"))
    month: Mapped[date]
    currency: Mapped[str]
    number: Mapped[str] = mapped_column(unique=True)
    series: Mapped[str]
    total_minor: Mapped[int]
    tax_code: Mapped[str]
    content: Mapped[dict[str, Any]] = mapped_column(JSONB)
    issued_at: Mapped[datetime]
