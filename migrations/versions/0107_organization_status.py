"""Organizations are suspended, resumed and closed.

Revision ID: 0107_organization_status
Revises: 0102_scores_after_changes
"""

import sqlalchemy as sa
from alembic import op

from migrations.scripts import run

revision: str = "0107_organization_status"
down_revision: str | None = "0102_scores_after_changes"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.add_column("organizations", sa.Column("status", sa.Text(), server_default="active", nullable=False))
    op.add_column("organizations", sa.Column("status_reason", sa.Text(), nullable=True))
    op.add_column("organizations", sa.Column("status_by", sa.Text(), nullable=True))
    op.add_column("organizations", sa.Column("status_at", sa.DateTime(timezone=True), nullable=True))
    op.create_check_constraint("status", "organizations", "status IN ('active', 'suspended', 'closed')")
    op.create_check_constraint("status_by", "organizations", "(status_at IS NULL) = (status_by IS NULL)")
    op.create_index(
        "ix_organizations_stopped", "organizations", ["id"], postgresql_where=sa.text("status <> 'active'")
    )
    run("repositories/sql/organization_status.sql")
    run("repositories/sql/payment_commands.sql")
    for name in ("spend", "spend_batch", "spend_quick"):
        run(f"ledger/sql/{name}.sql")


def downgrade() -> None:
    """Take the columns away. Functions that read them are as they were once their own migrations have run again."""
    op.execute("DROP FUNCTION organization_status(text)")
    op.drop_index("ix_organizations_stopped", "organizations")
    op.drop_constraint(op.f("ck_organizations_status_by"), "organizations")
    op.drop_constraint(op.f("ck_organizations_status"), "organizations")
    for name in ("status_at", "status_by", "status_reason", "status"):
        op.drop_column("organizations", name)
