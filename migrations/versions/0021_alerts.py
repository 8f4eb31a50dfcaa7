"""Alerts that their organization reads, found by kind and by subject.

Revision ID: 0021_alerts
Revises: 0020_client_secrets
"""

import sqlalchemy as sa
from alembic import op

from migrations.scripts import run

revision = "0021_alerts"
down_revision = "0020_client_secrets"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("alerts", sa.Column("shared", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.execute(
        "UPDATE alerts SET shared = true WHERE org_id IS NOT NULL AND kind <> 'payment.books_refused' "
        "AND (kind LIKE 'payment.%' OR kind = 'escrow.decision_overdue')"
    )
    op.create_index("ix_alerts_kind_id", "alerts", ["kind", "id"])
    op.create_index("ix_alerts_subject_id", "alerts", ["subject", "id"])
    run("repositories/sql/alerts.sql")


def downgrade() -> None:
    op.execute("DROP POLICY tenant_reads ON alerts")
    op.execute("REVOKE SELECT ON alerts FROM bursar_api")
    op.drop_index("ix_alerts_subject_id", "alerts")
    op.drop_index("ix_alerts_kind_id", "alerts")
    op.drop_column("alerts", "shared")
