"""Meters that are charged, and what became of the charge of each event.

Revision ID: 0028_usage_charges
Revises: 0027_auto_topup_runs
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.scripts import run

revision: str = "0028_usage_charges"
down_revision: str | None = "0027_auto_topup_runs"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.add_column("meters", sa.Column("charged_at", sa.DateTime(timezone=True), nullable=True))
    op.create_table(
        "usage_charges",
        sa.Column("org_id", sa.Text(), nullable=False),
        sa.Column("event", sa.UUID(), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("meters", postgresql.ARRAY(sa.BigInteger()), nullable=False),
        sa.Column("quantities", postgresql.ARRAY(sa.Numeric()), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("waits_for", sa.Text(), nullable=True),
        sa.Column("spend_id", sa.UUID(), nullable=True),
        sa.Column("amount", sa.BigInteger(), nullable=True),
        sa.Column("charged_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "num_nonnulls(spend_id, amount, charged_at) IN (0, 3) AND num_nonnulls(spend_id, waits_for) < 2",
            name=op.f("ck_usage_charges_charged"),
        ),
        sa.PrimaryKeyConstraint("org_id", "event", name=op.f("pk_usage_charges")),
        postgresql_with={"fillfactor": "80"},
    )
    op.create_index(
        "ix_usage_charges_due", "usage_charges", ["org_id", "due_at"], postgresql_where=sa.text("spend_id IS NULL")
    )
    op.create_table(
        "meter_months",
        sa.Column("meter", sa.BigInteger(), nullable=False),
        sa.Column("org_id", sa.Text(), nullable=False),
        sa.Column("month", sa.Date(), nullable=False),
        sa.Column("charged", sa.Numeric(), nullable=False),
        sa.PrimaryKeyConstraint("meter", "org_id", "month", name=op.f("pk_meter_months")),
    )
    run("repositories/sql/usage_charges.sql")


def downgrade() -> None:
    op.drop_table("meter_months")
    op.drop_table("usage_charges")
    op.drop_column("meters", "charged_at")
