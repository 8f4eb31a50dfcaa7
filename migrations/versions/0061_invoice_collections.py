"""What is collected of invoices: charges to the stored method, and dunning.

Revision ID: 0061_invoice_collections
Revises: 0060_marketplace
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.scripts import run

revision: str = "0061_invoice_collections"
down_revision: str | None = "0060_marketplace"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.create_table(
        "invoice_collections",
        sa.Column("invoice_id", sa.Text(), nullable=False),
        sa.Column("org_id", sa.Text(), nullable=False),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("wake_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("state", postgresql.JSONB(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "method IN ('charge_automatically', 'send_invoice')", name=op.f("ck_invoice_collections_method")
        ),
        sa.CheckConstraint(
            "(wake_at IS NULL) = (status IN ('paused', 'paid', 'void', 'uncollectible'))",
            name=op.f("ck_invoice_collections_wake_at"),
        ),
        sa.ForeignKeyConstraint(
            ["invoice_id"], ["invoices.id"], name=op.f("fk_invoice_collections_invoice_id_invoices")
        ),
        sa.ForeignKeyConstraint(
            ["org_id"], ["organizations.id"], name=op.f("fk_invoice_collections_org_id_organizations")
        ),
        sa.PrimaryKeyConstraint("invoice_id", name=op.f("pk_invoice_collections")),
    )
    op.create_index("ix_invoice_collections_org_id_invoice_id", "invoice_collections", ["org_id", "invoice_id"])
    op.create_index(
        "ix_invoice_collections_wake_at",
        "invoice_collections",
        ["wake_at"],
        postgresql_where=sa.text("wake_at IS NOT NULL"),
    )
    op.create_index(
        "ix_invoice_collections_open",
        "invoice_collections",
        ["invoice_id"],
        postgresql_where=sa.text("status NOT IN ('paid', 'void', 'uncollectible')"),
    )
    op.create_table(
        "invoice_collection_events",
        sa.Column("invoice_id", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("command_id", sa.Text(), nullable=False),
        sa.Column("details", postgresql.JSONB(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["invoice_id"],
            ["invoice_collections.invoice_id"],
            name=op.f("fk_invoice_collection_events_invoice_id_invoice_collections"),
        ),
        sa.PrimaryKeyConstraint("invoice_id", "number", name=op.f("pk_invoice_collection_events")),
    )
    op.create_index(
        "uq_invoice_collection_events_invoice_id_command_id",
        "invoice_collection_events",
        ["invoice_id", "command_id"],
        unique=True,
    )
    run("repositories/sql/invoice_collections.sql")


def downgrade() -> None:
    op.drop_table("invoice_collection_events")
    op.drop_table("invoice_collections")
