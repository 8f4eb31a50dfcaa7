"""Where organizations that earn are paid out.

Revision ID: 0053_creator_accounts
Revises: 0052_invoice_drafts
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.scripts import run

revision: str = "0053_creator_accounts"
down_revision: str | None = "0052_invoice_drafts"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.create_table(
        "creator_accounts",
        sa.Column("org_id", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("ref", sa.Text(), nullable=False),
        sa.Column("country", sa.Text(), nullable=False),
        sa.Column("details_submitted", sa.Boolean(), nullable=False),
        sa.Column("transfers_enabled", sa.Boolean(), nullable=False),
        sa.Column("payouts_enabled", sa.Boolean(), nullable=False),
        sa.Column("tax_profile", sa.Boolean(), nullable=False),
        sa.Column("requirements_due", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("disabled_reason", sa.Text(), nullable=True),
        sa.Column("destination", sa.Text(), nullable=True),
        sa.Column("destination_last4", sa.Text(), nullable=True),
        sa.Column("destination_currency", sa.Text(), nullable=True),
        sa.Column("destination_changed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["org_id"], ["organizations.id"], name=op.f("fk_creator_accounts_org_id_organizations")),
        sa.PrimaryKeyConstraint("org_id", name=op.f("pk_creator_accounts")),
    )
    op.create_index("uq_creator_accounts_provider_ref", "creator_accounts", ["provider", "ref"], unique=True)
    run("repositories/sql/creator_accounts.sql")


def downgrade() -> None:
    op.drop_table("creator_accounts")
