"""An operator can take a usage event in arrears off its bill until the bill is sealed.

Revision ID: 0175_voided_usage
Revises: 0174_freezes_hold
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.scripts import run

revision: str = "0175_voided_usage"
down_revision: str | None = "0174_freezes_hold"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.create_table(
        "usage_voids",
        sa.Column("org_id", sa.Text(), nullable=False),
        sa.Column("event", postgresql.UUID(as_uuid=True), nullable=False),
        sa.Column("voided_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "event", name=op.f("pk_usage_voids")),
    )
    run("repositories/sql/usage_bills.sql")


def downgrade() -> None:
    """Forget which events were voided: their bills stay without them."""
    op.drop_table("usage_voids")
