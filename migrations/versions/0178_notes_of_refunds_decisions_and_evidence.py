"""Refunds, decisions and evidence are noted before they are sent, so that they count after an outage.

Revision ID: 0178_more_escrow_notes
Revises: 0175_voided_usage
"""

from alembic import op

revision: str = "0178_more_escrow_notes"
down_revision: str | None = "0175_voided_usage"
branch_labels: str | None = None
depends_on: str | None = None

NAME = "ck_escrow_notices_name"
BEFORE = "name IN ('dispute', 'deliver', 'approve')"
AFTER = "name IN ('dispute', 'deliver', 'approve', 'refund', 'resolve', 'submit_evidence')"


def upgrade() -> None:
    op.drop_constraint(op.f(NAME), "escrow_notices")
    op.create_check_constraint(op.f(NAME), "escrow_notices", AFTER)


def downgrade() -> None:
    op.execute(f"DELETE FROM escrow_notices WHERE NOT ({BEFORE})")
    op.drop_constraint(op.f(NAME), "escrow_notices")
    op.create_check_constraint(op.f(NAME), "escrow_notices", BEFORE)
