"""Credits that are bought by themselves.

Revision ID: 0023_auto_topups
Revises: 0022_quick_charges
"""

import sqlalchemy as sa
from alembic import op

from migrations.scripts import run

revision: str = "0023_auto_topups"
down_revision: str | None = "0022_quick_charges"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.create_table(
        "auto_topups",
        sa.Column("org_id", sa.Text(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("below_minor", sa.BigInteger(), nullable=False),
        sa.Column("credits_minor", sa.BigInteger(), nullable=False),
        sa.Column("monthly_cap_minor", sa.BigInteger(), nullable=False),
        sa.Column("payment_method", sa.Text(), nullable=True),
        sa.Column("armed", sa.Boolean(), nullable=False),
        sa.Column("crossings", sa.BigInteger(), nullable=False),
        sa.Column("off_reason", sa.Text(), nullable=True),
        sa.Column("updated_by", sa.Text(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("below_minor > 0 AND credits_minor > 0", name=op.f("ck_auto_topups_amounts")),
        sa.CheckConstraint("monthly_cap_minor >= credits_minor", name=op.f("ck_auto_topups_cap")),
        sa.ForeignKeyConstraint(["org_id"], ["organizations.id"], name=op.f("fk_auto_topups_org_id_organizations")),
        sa.PrimaryKeyConstraint("org_id", name=op.f("pk_auto_topups")),
    )
    op.create_index(
        "ix_auto_topups_enabled", "auto_topups", ["org_id"], unique=False, postgresql_where=sa.text("enabled")
    )
    op.create_table(
        "auto_topup_crossings",
        sa.Column("org_id", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("available_minor", sa.BigInteger(), nullable=False),
        sa.Column("credits_minor", sa.BigInteger(), nullable=False),
        sa.Column("payment_method", sa.Text(), nullable=True),
        sa.Column("payment_id", sa.Text(), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "outcome IN ('open', 'succeeded', 'declined')", name=op.f("ck_auto_topup_crossings_outcome")
        ),
        sa.ForeignKeyConstraint(
            ["org_id"], ["organizations.id"], name=op.f("fk_auto_topup_crossings_org_id_organizations")
        ),
        sa.PrimaryKeyConstraint("org_id", "number", name=op.f("pk_auto_topup_crossings")),
    )
    op.create_index(
        "ix_auto_topup_crossings_open",
        "auto_topup_crossings",
        ["org_id", "number"],
        unique=False,
        postgresql_where=sa.text("outcome = 'open'"),
    )
    run("repositories/sql/auto_topups.sql")


def downgrade() -> None:
    op.drop_table("auto_topup_crossings")
    op.drop_table("auto_topups")
