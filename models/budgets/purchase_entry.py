"""Log of purchase orders: a row for each decision, attempt, refusal, refund and end."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, PrimaryKeyConstraint, func, text
from sqlalchemy.dialects.postgresql import JSONB, UUID as PG_UUID
from sqlalchemy.orm import Mapped, mapped_column

from models.common.base import Base


class PurchaseEntryRow(Base):
    """A log entry of a purchase order. Written by the platform's role in the transaction of the fact. Immutable.

    Attributes:
        id: a UUIDv7, which orders the log.
        transaction_type: a `domain.budgets.economics.PurchaseFact`.
        amount_minor: in minor units of `currency`.
        payment_method: the name of a declared method; null before one is chosen.
        status: the result of the fact.
        alternative_action: the agent's action instead; null if it is unknown.
        reason: of a person's correction; null otherwise.
        budget_remaining: `daily` and `project` if such budgets exist: decimal strings in the budget's currency.
    """

    __tablename__ = "purchase_entries"
    __table_args__ = (
        # PostgreSQL would read a key of `id` alone through all organizations.
        PrimaryKeyConstraint("org_id", "id"),
        CheckConstraint("amount_minor >= 0", name="amount"),
        Index("ix_purchase_entries_order_id", "order_id", "id"),
        Index("ix_purchase_entries_org_id_agent_id", "org_id", "agent_id", "id"),
        # One of the id itself would be read for an organization's list.
        Index("ix_purchase_entries_recorded_at", text("uuid_extract_timestamp(id)")),
    )

    id: Mapped[UUID] = mapped_column(PG_UUID(as_uuid=True), primary_key=True, server_default=func.uuidv7())
    org_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"), primary_key=True)
    order_id: Mapped[str]
    agent_id: Mapped[str] = mapped_column(ForeignKey("agents.id"))
    project_id: Mapped[str | None]
    transaction_type: Mapped[str]
    item: Mapped[str]
    amount_minor: Mapped[int]
    currency: Mapped[str]
    payment_method: Mapped[str | None] = mapped_column(info={"holds": "free_text"})
    status: Mapped[str]
    alternative_action: Mapped[str | None]
    reason: Mapped[str | None]
    budget_remaining: Mapped[dict[str, str]] = mapped_column(JSONB)
    at: Mapped[datetime]
