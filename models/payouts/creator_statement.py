"""Monthly statements of creators, and their corrections."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.common.base import Base


class CreatorStatement(Base):
    """Statement of a creator's earnings in a month, in one currency. Immutable.

    Attributes:
        month: its first day, in UTC.
        number: of the series of statements.
        total_minor: the earnings, in minor units of `currency`; `tax_minor` of it is tax.
        tax_code: the tax treatment, see `domain.billing.tax.self_billing`.
        content: see `domain.billing.document.content.Document.as_stored`.
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
    content: Mapped[dict[str, Any]] = mapped_column(JSONB, info={"holds": "contact"})
    issued_at: Mapped[datetime]
    tax_minor: Mapped[int] = mapped_column(server_default="0")


class CreatorCorrection(Base):
    """Correction of a statement by clawbacks of a later month. Immutable.

    Attributes:
        month: the first day of the month of the clawbacks, in UTC.
        number: of the series of corrections.
        total_minor: the clawed-back amount, in minor units of `currency`; `tax_minor` of it is tax.
        content: see `domain.billing.document.content.Document.as_stored`.
    """

    __tablename__ = "creator_corrections"
    __table_args__ = (
        CheckConstraint("total_minor > 0 AND tax_minor BETWEEN 0 AND total_minor", name="amounts"),
        UniqueConstraint("statement_id", "month", name="uq_creator_corrections_month"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    statement_id: Mapped[str] = mapped_column(ForeignKey("creator_statements.id"))
    org_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"))
    month: Mapped[date]
    currency: Mapped[str]
    number: Mapped[str] = mapped_column(unique=True)
    series: Mapped[str]
    total_minor: Mapped[int]
    tax_minor: Mapped[int]
    content: Mapped[dict[str, Any]] = mapped_column(JSONB, info={"holds": "contact"})
    issued_at: Mapped[datetime]
