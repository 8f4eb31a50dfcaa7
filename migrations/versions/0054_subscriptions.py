"""Subscriptions: their state and timeline, the bills that were paid for them, and the credits that they granted.

Revision ID: 0054_subscriptions
Revises: 0053_creator_accounts
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.scripts import run

revision: str = "0054_subscriptions"
down_revision: str | None = "0053_creator_accounts"
branch_labels: str | None = None
depends_on: str | None = None

_TABLES = ("subscription_grants", "subscription_bills", "subscription_events", "subscriptions")


def upgrade() -> None:
    op.create_table(
        "subscriptions",
        *(_text(name) for name in ("id", "org_id", "provider")),
        _text("provider_ref", nullable=True),
        *(_text(name) for name in ("status", "plan")),
        _number("version"),
        sa.Column("state", postgresql.JSONB(), nullable=False),
        *(_time(name) for name in ("created_at", "updated_at")),
        *_references("subscriptions", "org_id"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subscriptions")),
        sa.UniqueConstraint("provider", "provider_ref", name=op.f("uq_subscriptions_provider_provider_ref")),
    )
    op.create_index("ix_subscriptions_org_id_id", "subscriptions", ["org_id", "id"])
    op.create_index(
        "uq_subscriptions_org_id",
        "subscriptions",
        ["org_id"],
        unique=True,
        postgresql_where=sa.text("status <> 'ended'"),
    )
    op.create_table(
        "subscription_events",
        _text("subscription_id"),
        _number("number"),
        *(_text(name) for name in ("kind", "status", "actor", "command_id")),
        sa.Column("details", postgresql.JSONB(), nullable=False),
        _time("at"),
        sa.Column(
            "recorded_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        *_references("subscription_events", "subscription_id"),
        sa.PrimaryKeyConstraint("subscription_id", "number", name=op.f("pk_subscription_events")),
        sa.UniqueConstraint(
            "subscription_id", "command_id", name=op.f("uq_subscription_events_subscription_id_command_id")
        ),
    )
    op.create_table(
        "subscription_bills",
        *(_text(name) for name in ("provider", "bill_ref", "subscription_id", "org_id", "invoice_id")),
        _text("payment_id", nullable=True),
        _text("currency"),
        *(_number(name) for name in ("gross_minor", "amount_minor")),
        *(_time(name) for name in ("period_start", "period_end")),
        sa.Column("for_credits", sa.Boolean(), nullable=False),
        *(
            sa.Column(name, sa.BigInteger(), server_default=sa.text("0"), nullable=False)
            for name in ("granted_minor", "accrued_minor")
        ),
        sa.Column("accrued_on", sa.Date(), nullable=True),
        _time("settled_at"),
        sa.CheckConstraint(
            "amount_minor BETWEEN 0 AND gross_minor AND gross_minor > 0", name=op.f("ck_subscription_bills_amount")
        ),
        sa.CheckConstraint(
            "least(granted_minor, accrued_minor) >= 0 AND granted_minor + accrued_minor <= amount_minor",
            name=op.f("ck_subscription_bills_given"),
        ),
        sa.CheckConstraint("period_start < period_end", name=op.f("ck_subscription_bills_period")),
        *_references("subscription_bills", "subscription_id", "org_id", "invoice_id", "payment_id"),
        sa.PrimaryKeyConstraint("provider", "bill_ref", name=op.f("pk_subscription_bills")),
        sa.UniqueConstraint("invoice_id", name=op.f("uq_subscription_bills_invoice_id")),
        sa.UniqueConstraint("payment_id", name=op.f("uq_subscription_bills_payment_id")),
    )
    op.create_index("ix_subscription_bills_subscription_id", "subscription_bills", ["subscription_id"])
    op.create_index("ix_subscription_bills_org_id", "subscription_bills", ["org_id"])
    op.create_index(
        "ix_subscription_bills_deferred",
        "subscription_bills",
        ["provider", "bill_ref"],
        postgresql_where=sa.text("granted_minor + accrued_minor < amount_minor"),
    )
    op.create_table(
        "subscription_grants",
        *(_text(name) for name in ("subscription_id", "key", "org_id", "bill_ref", "lot_id")),
        *(_number(name) for name in ("credits_minor", "paid_minor")),
        *(_time(name) for name in ("starts_at", "ends_at")),
        sa.Column("transfer_id", sa.UUID(), nullable=False),
        sa.CheckConstraint("credits_minor > 0 AND paid_minor >= 0", name=op.f("ck_subscription_grants_amounts")),
        *_references("subscription_grants", "subscription_id", "org_id", "lot_id"),
        sa.PrimaryKeyConstraint("subscription_id", "key", name=op.f("pk_subscription_grants")),
        sa.UniqueConstraint("lot_id", name=op.f("uq_subscription_grants_lot_id")),
        sa.UniqueConstraint("transfer_id", name=op.f("uq_subscription_grants_transfer_id")),
    )
    op.create_index(op.f("ix_subscription_grants_org_id"), "subscription_grants", ["org_id"])
    run("repositories/sql/subscriptions.sql")


def downgrade() -> None:
    for table in _TABLES:
        op.drop_table(table)


def _text(name: str, *, nullable: bool = False) -> "sa.Column[str]":
    return sa.Column(name, sa.Text(), nullable=nullable)


def _number(name: str) -> "sa.Column[int]":
    return sa.Column(name, sa.BigInteger(), autoincrement=False, nullable=False)


def _time(name: str) -> "sa.Column[object]":
    return sa.Column(name, sa.DateTime(timezone=True), nullable=False)


def _references(table: str, *columns: str) -> list[sa.ForeignKeyConstraint]:
    named = {
        "org_id": "organizations",
        "subscription_id": "subscriptions",
        "invoice_id": "invoices",
        "payment_id": "payments",
        "lot_id": "credit_lots",
    }
    return [
        sa.ForeignKeyConstraint([each], [f"{named[each]}.id"], name=op.f(f"fk_{table}_{each}_{named[each]}"))
        for each in columns
    ]
