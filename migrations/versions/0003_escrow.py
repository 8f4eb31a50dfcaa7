"""Escrows: the read model and its timeline.

Revision ID: 0003_escrow
Revises: 0002_tenants
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.scripts import run

revision = "0003_escrow"
down_revision = "0002_tenants"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "escrows",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("contract_id", sa.Text(), nullable=False),
        sa.Column("org_id", sa.Text(), nullable=False),
        sa.Column("payee_org_id", sa.Text(), nullable=False),
        sa.Column("signatory_org_ids", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("agent_id", sa.Text(), nullable=False),
        sa.Column("workflow_id", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("funded_minor", sa.BigInteger(), nullable=False),
        sa.Column("released_minor", sa.BigInteger(), nullable=False),
        sa.Column("refunded_minor", sa.BigInteger(), nullable=False),
        sa.Column("commission_minor", sa.BigInteger(), nullable=False),
        sa.Column("next_deadline_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("state", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "released_minor >= 0 AND refunded_minor >= 0 AND commission_minor >= 0"
            " AND released_minor + refunded_minor + commission_minor <= funded_minor",
            name=op.f("ck_escrows_amounts"),
        ),
        sa.CheckConstraint(
            "status NOT IN ('released', 'refunded', 'split', 'cancelled', 'expired')"
            " OR released_minor + refunded_minor + commission_minor = funded_minor",
            name=op.f("ck_escrows_settled"),
        ),
        sa.ForeignKeyConstraint(["contract_id"], ["contracts.id"], name=op.f("fk_escrows_contract_id_contracts")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_escrows")),
        sa.UniqueConstraint("contract_id", name=op.f("uq_escrows_contract_id")),
    )
    op.create_index("ix_escrows_org_id_id", "escrows", ["org_id", "id"])
    op.create_index("ix_escrows_payee_org_id_id", "escrows", ["payee_org_id", "id"])
    op.create_index("ix_escrows_status_id", "escrows", ["status", "id"])
    op.create_index(
        "ix_escrows_next_deadline_at",
        "escrows",
        ["next_deadline_at"],
        postgresql_where=sa.text("next_deadline_at IS NOT NULL"),
    )
    op.create_index("ix_escrows_signatory_org_ids", "escrows", ["signatory_org_ids"], postgresql_using="gin")
    op.create_table(
        "escrow_events",
        sa.Column("escrow_id", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("command_id", sa.Text(), nullable=False),
        sa.Column("transfer_id", sa.UUID(), nullable=True),
        sa.Column("details", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["escrow_id"], ["escrows.id"], name=op.f("fk_escrow_events_escrow_id_escrows")),
        sa.PrimaryKeyConstraint("escrow_id", "number", name=op.f("pk_escrow_events")),
    )
    op.create_index(
        "uq_escrow_events_escrow_id_command_id", "escrow_events", ["escrow_id", "command_id"], unique=True
    )
    run("repositories/sql/escrow.sql")


def downgrade() -> None:
    op.execute("DROP FUNCTION tenant_escrow(text, text)")
    op.drop_table("escrow_events")
    op.drop_table("escrows")
