"""Automatic top-ups by runs: one open fall for each organization, what else can become of one, and until when a cap holds.

Revision ID: 0027_auto_topup_runs
Revises: 0026_kept_pins
"""

import sqlalchemy as sa
from alembic import op

revision: str = "0027_auto_topup_runs"
down_revision: str | None = "0026_kept_pins"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.add_column("auto_topups", sa.Column("capped_until", sa.DateTime(timezone=True), nullable=True))
    op.drop_index("ix_auto_topups_enabled", table_name="auto_topups")
    op.drop_constraint(op.f("ck_auto_topup_crossings_outcome"), "auto_topup_crossings")
    op.create_check_constraint(
        op.f("ck_auto_topup_crossings_outcome"),
        "auto_topup_crossings",
        "outcome IN ('open', 'succeeded', 'declined', 'cancelled', 'expired')",
    )
    op.drop_index("ix_auto_topup_crossings_open", table_name="auto_topup_crossings")
    op.create_index(
        "uq_auto_topup_crossings_open",
        "auto_topup_crossings",
        ["org_id"],
        unique=True,
        postgresql_where=sa.text("outcome = 'open'"),
    )


def downgrade() -> None:
    op.drop_index("uq_auto_topup_crossings_open", table_name="auto_topup_crossings")
    op.create_index(
        "ix_auto_topup_crossings_open",
        "auto_topup_crossings",
        ["org_id", "number"],
        unique=False,
        postgresql_where=sa.text("outcome = 'open'"),
    )
    op.drop_constraint(op.f("ck_auto_topup_crossings_outcome"), "auto_topup_crossings")
    op.create_check_constraint(
        op.f("ck_auto_topup_crossings_outcome"),
        "auto_topup_crossings",
        "outcome IN ('open', 'succeeded', 'declined')",
    )
    op.create_index(
        "ix_auto_topups_enabled", "auto_topups", ["org_id"], unique=False, postgresql_where=sa.text("enabled")
    )
    op.drop_column("auto_topups", "capped_until")
