"""Purchase orders, with attempts, decisions of persons, and refunds.

`services/budgets/purchase_order.py` writes everything, with the platform's role.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.common.base import Base


class PurchaseOrder(Base):
    """An external purchase of an agent. Amounts are in minor units of `currency`.

    Attributes:
        key_id: of the request; null in a session that a link opened, which is `session_id`.
        principal: of the request, without its organization.
        lifts: the budget windows lifted by the first of two grants, `[{"budget_id", "window"}]`.
        decision: the last one, `{"code", "sentence", "budget_id", "window", "currency", "remaining_minor",
            "resets_at"}`.
        methods: the payment methods at the decision, in the order of the policy.
        budget_remaining: after the decision, as in the log.
        persons: the number of required approvals.
        answer_by: the end of the time to approve; null unless it waits for approval.
        held_until: when the hold of an approved order ends.
        renews_at: when the next term of a purchase begins.
        counts: the number of its last count in the ledger; 0 is the order itself.
        spent_minor: the total charged, as budgets count it; `refunded_minor` is the refunded part.
        reported_spent_minor, reported_refunded_minor: the same as reported; see
            `services.budgets.purchase_confirmation`.
        unconfirmed_since: when a report was made that does not count before a person confirms it.
        cancel_reported_at: when an agent reported that the purchase does not renew.
        unknown_since: when an attempt with unknown result was reported; null otherwise.
    """

    __tablename__ = "purchase_orders"
    __table_args__ = (
        CheckConstraint(
            "amount_minor > 0 AND spent_minor >= 0 AND refunded_minor BETWEEN 0 AND spent_minor", name="amounts"
        ),
        CheckConstraint("(status = 'approved') = (held_until IS NOT NULL)", name="held"),
        CheckConstraint("(status = 'needs_approval') = (answer_by IS NOT NULL)", name="waits"),
        CheckConstraint("renews_at IS NULL OR (status = 'purchased' AND term IS NOT NULL)", name="renews"),
        Index("ix_purchase_orders_org_id_id", "org_id", "id"),
        Index("ix_purchase_orders_org_id_agent_id_id", "org_id", "agent_id", "id"),
        Index("ix_purchase_orders_org_id_status_id", "org_id", "status", "id"),
        Index(
            "ix_purchase_orders_unconfirmed_since",
            *("org_id", "agent_id", "id"),
            postgresql_where=text("unconfirmed_since IS NOT NULL"),
        ),
        *(
            Index(f"ix_purchase_orders_{due}", due, postgresql_where=text(f"{due} IS NOT NULL"))
            for due in ("answer_by", "held_until", "renews_at", "unknown_since")
        ),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    org_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"))
    agent_id: Mapped[str] = mapped_column(ForeignKey("agents.id"))
    department_id: Mapped[str | None]
    project_id: Mapped[str | None]
    key_id: Mapped[str | None]
    session_id: Mapped[str | None]
    principal: Mapped[str]
    command_id: Mapped[str] = mapped_column(unique=True)
    item: Mapped[str]
    vendor: Mapped[str]
    category: Mapped[str] = mapped_column(info={"holds": "free_text"})
    why: Mapped[str]
    amount_minor: Mapped[int]
    currency: Mapped[str]
    term: Mapped[str | None]
    alternatives: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    pool: Mapped[str]
    on_limit: Mapped[str]
    lifts: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, server_default=text("'[]'"))
    status: Mapped[str]
    decision: Mapped[dict[str, Any]] = mapped_column(JSONB)
    methods: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, info={"holds": "free_text"})
    budget_remaining: Mapped[dict[str, str]] = mapped_column(JSONB)
    persons: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    answer_by: Mapped[datetime | None]
    held_until: Mapped[datetime | None]
    renews_at: Mapped[datetime | None]
    counts: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    spent_minor: Mapped[int] = mapped_column(server_default=text("0"))
    refunded_minor: Mapped[int] = mapped_column(server_default=text("0"))
    reported_spent_minor: Mapped[int] = mapped_column(server_default=text("0"))
    reported_refunded_minor: Mapped[int] = mapped_column(server_default=text("0"))
    unconfirmed_since: Mapped[datetime | None]
    cancel_reported_at: Mapped[datetime | None]
    alternative_action: Mapped[str | None]
    saved_minor: Mapped[int | None]
    unknown_since: Mapped[datetime | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class PurchaseAttempt(Base):
    """An attempt to pay for an order, recorded before it is made.

    Attributes:
        charged_minor: the reported charge, in minor units of the order's currency; `fee_minor` is a part of it.
        reference: of the payment at its provider.
        receipt: the address of a receipt.
    """

    __tablename__ = "purchase_attempts"
    __table_args__ = (
        CheckConstraint(
            "(status = 'succeeded') = (charged_minor > 0 AND charged_minor IS NOT NULL)"
            " AND (fee_minor IS NULL OR fee_minor BETWEEN 0 AND charged_minor)",
            name="charged",
        ),
    )

    order_id: Mapped[str] = mapped_column(ForeignKey("purchase_orders.id"), primary_key=True)
    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    org_id: Mapped[str]
    method: Mapped[str] = mapped_column(info={"holds": "free_text"})
    status: Mapped[str]
    charged_minor: Mapped[int | None]
    fee_minor: Mapped[int | None]
    reference: Mapped[str | None] = mapped_column(info={"holds": "free_text"})
    receipt: Mapped[str | None]
    command_id: Mapped[str] = mapped_column(unique=True)
    begun_by: Mapped[str]
    begun_at: Mapped[datetime]
    result_at: Mapped[datetime | None]


class PurchaseGrant(Base):
    """Decision of a person on an order that needs approval; each person decides once. Immutable.

    Attributes:
        principal: qualified with its organization, in lower case.
        granted: false if the person refused.
        digest: of the order that was granted.
    """

    __tablename__ = "purchase_grants"

    order_id: Mapped[str] = mapped_column(ForeignKey("purchase_orders.id"), primary_key=True)
    principal: Mapped[str] = mapped_column(primary_key=True)
    org_id: Mapped[str]
    granted: Mapped[bool]
    digest: Mapped[str]
    pool: Mapped[str]
    lifts: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    reason: Mapped[str | None]
    key_id: Mapped[str | None]
    session_id: Mapped[str | None]
    command_id: Mapped[str] = mapped_column(unique=True)
    at: Mapped[datetime]


class PurchaseRefund(Base):
    """A reported refund of a purchase; once for each command. Immutable."""

    __tablename__ = "purchase_refunds"
    __table_args__ = (
        CheckConstraint("amount_minor > 0", name="amount"),
        Index("ix_purchase_refunds_order_id", "order_id"),
    )

    command_id: Mapped[str] = mapped_column(primary_key=True)
    order_id: Mapped[str] = mapped_column(ForeignKey("purchase_orders.id"))
    org_id: Mapped[str]
    amount_minor: Mapped[int]
    reference: Mapped[str | None] = mapped_column(info={"holds": "free_text"})
    recorded_by: Mapped[str]
    at: Mapped[datetime]
