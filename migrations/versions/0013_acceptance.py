"""Contracts that their payee accepts, and the terms that an agent lists.

Revision ID: 0013_acceptance
Revises: 0012_operator_approvals
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.scripts import run

revision = "0013_acceptance"
down_revision = "0012_operator_approvals"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)
CHECKS = {
    "proposed": "(accept_by IS NULL) = (cardinality(outside_listing) = 0)",
    "accepted": "(accepted_at IS NULL) = (accepted_by IS NULL)",
    "in_time": "accepted_at IS NULL OR (accept_by IS NOT NULL AND accepted_at < accept_by)",
}


def upgrade() -> None:
    # Contracts that exist have no time to be accepted by: they count as accepted.
    op.add_column(
        "contracts", sa.Column("outside_listing", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False)
    )
    op.add_column("contracts", sa.Column("accept_by", TIME, nullable=True))
    op.add_column("contracts", sa.Column("accepted_at", TIME, nullable=True))
    op.add_column("contracts", sa.Column("accepted_by", sa.Text(), nullable=True))
    for name, condition in CHECKS.items():
        op.create_check_constraint(op.f(f"ck_contracts_{name}"), "contracts", condition)
    op.add_column(
        "agents",
        sa.Column("terms", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False),
    )
    run("repositories/sql/contracts.sql")


def downgrade() -> None:
    op.execute("DROP FUNCTION escrow_needs_acceptance() CASCADE")
    op.execute("DROP FUNCTION contract_accepted_once() CASCADE")
    op.execute("DROP POLICY tenant_writes ON contracts")
    op.execute("CREATE POLICY tenant_writes ON contracts FOR INSERT TO bursar_api WITH CHECK (org_id = bursar_org())")
    op.execute("DROP TRIGGER refuse_change ON contracts")
    op.execute(
        "CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE ON contracts FOR EACH ROW EXECUTE FUNCTION refuse_change()"
    )
    op.drop_column("agents", "terms")
    for name in CHECKS:
        op.drop_constraint(op.f(f"ck_contracts_{name}"), "contracts")
    for column in ("accepted_by", "accepted_at", "accept_by", "outside_listing"):
        op.drop_column("contracts", column)
