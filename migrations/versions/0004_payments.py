"""Payments: the read model, its timeline, disputes, booked movements, and the inbox of webhooks.

Revision ID: 0004_payments
Revises: 0003_escrow
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.scripts import run

revision = "0004_payments"
down_revision = "0003_escrow"
branch_labels = None
depends_on = None

JSON = postgresql.JSONB(astext_type=sa.Text())
TIME = sa.DateTime(timezone=True)
RECORDED = sa.text("clock_timestamp()")


def upgrade() -> None:
    op.create_table(
        "payments",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("org_id", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("provider_ref", sa.Text(), nullable=True),
        sa.Column("workflow_id", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("escrow_id", sa.Text(), nullable=True),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("received_minor", sa.BigInteger(), nullable=False),
        sa.Column("refunded_minor", sa.BigInteger(), nullable=False),
        sa.Column("fee_minor", sa.BigInteger(), nullable=False),
        sa.Column("wake_at", TIME, nullable=True),
        sa.Column("state", JSON, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.CheckConstraint("amount_minor > 0", name=op.f("ck_payments_amount")),
        sa.CheckConstraint("refunded_minor >= 0 AND received_minor >= 0", name=op.f("ck_payments_amounts")),
        sa.ForeignKeyConstraint(["org_id"], ["organizations.id"], name=op.f("fk_payments_org_id_organizations")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payments")),
    )
    op.create_index("ix_payments_org_id_id", "payments", ["org_id", "id"])
    op.create_index("ix_payments_status_id", "payments", ["status", "id"])
    op.create_index(
        "ix_payments_escrow_id", "payments", ["escrow_id"], postgresql_where=sa.text("escrow_id IS NOT NULL")
    )
    op.create_index(
        "ix_payments_wake_at", "payments", ["wake_at"], postgresql_where=sa.text("wake_at IS NOT NULL")
    )
    op.create_index("uq_payments_provider_provider_ref", "payments", ["provider", "provider_ref"], unique=True)
    op.create_table(
        "payment_events",
        sa.Column("payment_id", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("command_id", sa.Text(), nullable=True),
        sa.Column("transfer_id", sa.UUID(), nullable=True),
        sa.Column("details", JSON, nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.Column("recorded_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(["payment_id"], ["payments.id"], name=op.f("fk_payment_events_payment_id_payments")),
        sa.PrimaryKeyConstraint("payment_id", "number", name=op.f("pk_payment_events")),
    )
    op.create_index(
        "uq_payment_events_payment_id_command_id", "payment_events", ["payment_id", "command_id"], unique=True
    )
    op.create_table(
        "payment_movements",
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("fee_minor", sa.BigInteger(), nullable=True),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("payment_id", sa.Text(), nullable=True),
        sa.Column("org_id", sa.Text(), nullable=True),
        sa.Column("transfer_id", sa.UUID(), nullable=False),
        sa.Column("occurred_at", TIME, nullable=False),
        sa.Column("recorded_at", TIME, server_default=RECORDED, nullable=False),
        sa.ForeignKeyConstraint(
            ["payment_id"], ["payments.id"], name=op.f("fk_payment_movements_payment_id_payments")
        ),
        sa.PrimaryKeyConstraint("provider", "key", name=op.f("pk_payment_movements")),
    )
    op.create_index("ix_payment_movements_payment_id", "payment_movements", ["payment_id"])
    op.create_index("ix_payment_movements_provider_occurred_at", "payment_movements", ["provider", "occurred_at"])
    op.create_table(
        "payment_disputes",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("ref", sa.Text(), nullable=False),
        sa.Column("payment_id", sa.Text(), nullable=False),
        sa.Column("org_id", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("opened_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(["payment_id"], ["payments.id"], name=op.f("fk_payment_disputes_payment_id_payments")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payment_disputes")),
    )
    op.create_index("ix_payment_disputes_org_id_id", "payment_disputes", ["org_id", "id"])
    op.create_index("uq_payment_disputes_provider_ref", "payment_disputes", ["provider", "ref"], unique=True)
    op.create_table(
        "provider_events",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("payment_id", sa.Text(), nullable=True),
        sa.Column("refs", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("livemode", sa.Boolean(), nullable=False),
        sa.Column("payload", JSON, nullable=False),
        sa.Column("occurred_at", TIME, nullable=False),
        sa.Column("received_at", TIME, server_default=RECORDED, nullable=False),
        sa.Column("handled_at", TIME, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_provider_events")),
    )
    op.create_index("uq_provider_events_provider_event_id", "provider_events", ["provider", "event_id"], unique=True)
    op.create_index(
        "ix_provider_events_unhandled", "provider_events", ["id"], postgresql_where=sa.text("handled_at IS NULL")
    )
    op.create_index(
        "ix_provider_events_payment_id",
        "provider_events",
        ["payment_id"],
        postgresql_where=sa.text("payment_id IS NOT NULL"),
    )
    op.create_table(
        "provider_customers",
        sa.Column("org_id", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("customer_ref", sa.Text(), nullable=False),
        sa.Column("created_at", TIME, server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["org_id"], ["organizations.id"], name=op.f("fk_provider_customers_org_id_organizations")
        ),
        sa.PrimaryKeyConstraint("org_id", "provider", name=op.f("pk_provider_customers")),
    )
    op.create_index(
        "uq_provider_customers_provider_customer_ref", "provider_customers", ["provider", "customer_ref"], unique=True
    )
    op.create_index(
        "ix_transfers_credit_refunds",
        "transfers",
        ["reference"],
        schema="ledger",
        postgresql_where=sa.text("kind = 'credit_payment_refund'"),
    )
    op.add_column("credit_lots", sa.Column("payment_id", sa.Text(), nullable=True))
    op.add_column("credit_lots", sa.Column("paid_minor", sa.BigInteger(), nullable=True))
    op.add_column("credit_lots", sa.Column("paid_currency", sa.Text(), nullable=True))
    run("repositories/sql/payments.sql")
    run("repositories/sql/balance.sql")


def downgrade() -> None:
    op.drop_index("ix_transfers_credit_refunds", "transfers", schema="ledger")
    for column in ("payment_id", "paid_minor", "paid_currency"):
        op.drop_column("credit_lots", column)
    for table in (
        "provider_customers",
        "provider_events",
        "payment_disputes",
        "payment_movements",
        "payment_events",
        "payments",
    ):
        op.drop_table(table)
