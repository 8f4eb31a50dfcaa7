"""A contract keeps the commission before a discount, which bounds bad evidence; who cannot be hired is on no public board.

Revision ID: 0164_undiscounted_commission
Revises: 0163_voided_charges
"""

import sqlalchemy as sa
from alembic import op

from migrations.scripts import run

revision: str = "0164_undiscounted_commission"
down_revision: str | None = "0163_voided_charges"
branch_labels: str | None = None
depends_on: str | None = None

_RULE = "undiscounted_commission_bps BETWEEN commission_bps AND 10000"


def upgrade() -> None:
    op.add_column("contracts", sa.Column("undiscounted_commission_bps", sa.Integer(), nullable=True))
    # No row has the new column, so none is read for it.
    op.create_check_constraint("undiscounted", "contracts", _RULE, postgresql_not_valid=True)
    # The first takes back what the others grant.
    for name in ("reputation", "reputation_nights", "reputation_seasoned", "reputation_boards", "reputation_recalls"):
        run(f"repositories/sql/{name}.sql")
    for name in ("organization_traits", "kept_traits", "reputation_client_events", "reputation_seasoned_clients"):
        run(f"repositories/sql/{name}.sql")
    run("repositories/sql/reputation_rates.sql")
    for table in ("reputation_agents", "reputation_scores"):
        op.execute(
            f"UPDATE {table} r SET board = a.org_id FROM agents a JOIN organizations o ON o.id = a.org_id"
            " WHERE a.id = r.agent_id AND (a.retired_at IS NOT NULL OR o.status = 'closed') AND r.board <> a.org_id"
        )


def downgrade() -> None:
    op.execute("DROP TRIGGER agent_retired ON agents")
    op.execute("DROP TRIGGER organization_closed ON organizations")
    op.execute("DROP FUNCTION organization_closed")
    # The other functions stay: who does not say the commission before a discount is answered as before.
    op.drop_column("contracts", "undiscounted_commission_bps")
