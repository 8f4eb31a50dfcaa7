"""Payments, what moved at their providers, chargebacks, the inbox, customers.

Revision ID: 0004_provider_payments
Revises: 0003_escrows
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.scripts import run

revision: str = "0004_provider_payments"
down_revision: str | None = "0003_escrows"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.create_table(
        "payment_command_contents",
        sa.Column("command_id", sa.Text(), nullable=False),
        sa.Column("payment_id", sa.Text(), nullable=False),
        sa.Column("content_hash", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("command_id", name=op.f("pk_payment_command_contents")),
    )
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
        sa.Column("payload", postgresql.JSONB(), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "received_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column("handled_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_provider_events")),
    )
    op.create_index(
        "ix_provider_events_payment_id",
        "provider_events",
        ["payment_id"],
        unique=False,
        postgresql_where=sa.text("payment_id IS NOT NULL"),
    )
    op.create_index(
        "ix_provider_events_unhandled",
        "provider_events",
        ["id"],
        unique=False,
        postgresql_where=sa.text("handled_at IS NULL"),
    )
    op.create_index("uq_provider_events_provider_event_id", "provider_events", ["provider", "event_id"], unique=True)
    op.create_table(
        "payment_commands",
        sa.Column("command_id", sa.Text(), nullable=False),
        sa.Column("org_id", sa.Text(), nullable=False),
        sa.Column("payment_id", sa.Text(), nullable=False),
        sa.Column("request_hash", sa.LargeBinary(), nullable=False),
        sa.Column("terms", postgresql.JSONB(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["org_id"], ["organizations.id"], name=op.f("fk_payment_commands_org_id_organizations")
        ),
        sa.PrimaryKeyConstraint("command_id", name=op.f("pk_payment_commands")),
        sa.UniqueConstraint("payment_id", name=op.f("uq_payment_commands_payment_id")),
    )
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
        sa.Column("wake_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("state", postgresql.JSONB(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("amount_minor > 0", name=op.f("ck_payments_amount")),
        sa.CheckConstraint("refunded_minor >= 0 AND received_minor >= 0", name=op.f("ck_payments_amounts")),
        sa.ForeignKeyConstraint(["org_id"], ["organizations.id"], name=op.f("fk_payments_org_id_organizations")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payments")),
    )
    op.create_index(
        "ix_payments_escrow_id",
        "payments",
        ["escrow_id"],
        unique=False,
        postgresql_where=sa.text("escrow_id IS NOT NULL"),
    )
    op.create_index("ix_payments_org_id_id", "payments", ["org_id", "id"], unique=False)
    op.create_index(
        "ix_payments_org_id_status_purpose_id", "payments", ["org_id", "status", "purpose", "id"], unique=False
    )
    op.create_index("ix_payments_status_purpose_id", "payments", ["status", "purpose", "id"], unique=False)
    op.create_index(
        "ix_payments_wake_at", "payments", ["wake_at"], unique=False, postgresql_where=sa.text("wake_at IS NOT NULL")
    )
    op.create_index("uq_payments_provider_provider_ref", "payments", ["provider", "provider_ref"], unique=True)
    op.create_table(
        "provider_customers",
        sa.Column("org_id", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("customer_ref", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["org_id"], ["organizations.id"], name=op.f("fk_provider_customers_org_id_organizations")
        ),
        sa.PrimaryKeyConstraint("org_id", "provider", name=op.f("pk_provider_customers")),
    )
    op.create_index(
        "uq_provider_customers_provider_customer_ref", "provider_customers", ["provider", "customer_ref"], unique=True
    )
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
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["payment_id"], ["payments.id"], name=op.f("fk_payment_disputes_payment_id_payments")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payment_disputes")),
    )
    op.create_index("ix_payment_disputes_opened_at_id", "payment_disputes", ["opened_at", "id"], unique=False)
    op.create_index(
        "ix_payment_disputes_org_id_opened_at_id", "payment_disputes", ["org_id", "opened_at", "id"], unique=False
    )
    op.create_index(
        "ix_payment_disputes_org_id_status_opened_at_id",
        "payment_disputes",
        ["org_id", "status", "opened_at", "id"],
        unique=False,
    )
    op.create_index(
        "ix_payment_disputes_status_opened_at_id", "payment_disputes", ["status", "opened_at", "id"], unique=False
    )
    op.create_index("uq_payment_disputes_provider_ref", "payment_disputes", ["provider", "ref"], unique=True)
    op.create_table(
        "payment_events",
        sa.Column("payment_id", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("command_id", sa.Text(), nullable=True),
        sa.Column("transfer_id", sa.UUID(), nullable=True),
        sa.Column("details", postgresql.JSONB(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
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
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "recorded_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.ForeignKeyConstraint(["payment_id"], ["payments.id"], name=op.f("fk_payment_movements_payment_id_payments")),
        sa.PrimaryKeyConstraint("provider", "key", name=op.f("pk_payment_movements")),
    )
    op.create_index("ix_payment_movements_payment_id", "payment_movements", ["payment_id"], unique=False)
    op.create_index(
        "ix_payment_movements_provider_occurred_at", "payment_movements", ["provider", "occurred_at"], unique=False
    )
    run("repositories/sql/payments.sql")
    run("repositories/sql/payment_commands.sql")
    run("repositories/sql/payment_command_contents.sql")
    run("repositories/sql/balance.sql")


def downgrade() -> None:
    for table in (
        "payment_movements",
        "payment_events",
        "payment_disputes",
        "provider_customers",
        "payments",
        "payment_commands",
        "provider_events",
        "payment_command_contents",
    ):
        op.drop_table(table)
