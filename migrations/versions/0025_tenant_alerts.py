"""Organizations acknowledge their alerts, for themselves.

Revision ID: 0025_tenant_alerts
Revises: 0024_lean_lots
"""

import sqlalchemy as sa
from alembic import op

revision: str = "0025_tenant_alerts"
down_revision: str | None = "0024_lean_lots"
branch_labels: str | None = None
depends_on: str | None = None

_COLUMNS = ("org_acknowledged_at", "org_acknowledged_by")


def upgrade() -> None:
    op.add_column("alerts", sa.Column("org_acknowledged_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("alerts", sa.Column("org_acknowledged_by", sa.Text(), nullable=True))
    op.create_index(
        "ix_alerts_org_id_unseen",
        "alerts",
        ["org_id", "id"],
        unique=False,
        postgresql_where=sa.text("acknowledged_at IS NULL AND org_acknowledged_at IS NULL"),
    )
    # Of an alert that operators should look at as well, an organization marks its own part alone.
    op.execute(f"GRANT UPDATE ({', '.join(_COLUMNS)}) ON alerts TO bursar_api")
    op.execute(
        "CREATE POLICY tenant_acknowledges ON alerts FOR UPDATE TO bursar_api"
        " USING (org_id = bursar_org() AND shared) WITH CHECK (org_id = bursar_org() AND shared)"
    )


def downgrade() -> None:
    op.execute("DROP POLICY tenant_acknowledges ON alerts")
    op.drop_index("ix_alerts_org_id_unseen", "alerts")
    for column in reversed(_COLUMNS):
        op.drop_column("alerts", column)
