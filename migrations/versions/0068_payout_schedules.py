"""When creators are paid out without asking.

Revision ID: 0068_payout_schedules
Revises: 0067_recoveries
"""

import sqlalchemy as sa
from alembic import op

from migrations.scripts import run

revision: str = "0068_payout_schedules"
down_revision: str | None = "0067_recoveries"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.create_table(
        "payout_schedules",
        sa.Column("org_id", sa.Text(), nullable=False),
        sa.Column("interval", sa.Text(), nullable=False),
        sa.Column("weekly_anchor", sa.Text(), nullable=True),
        sa.Column("monthly_anchor", sa.BigInteger(), nullable=True),
        *(sa.Column(name, sa.Date(), nullable=True) for name in ("next_on", "last_on")),
        *(sa.Column(name, sa.Text(), nullable=True) for name in ("last_payout_id", "last_refusal")),
        sa.Column("changed_by", sa.Text(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["org_id"], ["organizations.id"], name=op.f("fk_payout_schedules_org_id_organizations")
        ),
        sa.PrimaryKeyConstraint("org_id", name=op.f("pk_payout_schedules")),
    )
    op.create_index(
        "ix_payout_schedules_next_on",
        "payout_schedules",
        ["next_on"],
        postgresql_where=sa.text("next_on IS NOT NULL"),
    )
    run("repositories/sql/payout_schedules.sql")


def downgrade() -> None:
    op.drop_table("payout_schedules")
