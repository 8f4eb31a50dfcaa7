"""Credit notes, billing profiles and tax rates cannot be emptied, as they cannot be deleted.

Revision ID: 0072_kept_billing
Revises: 0071_monthly_agents
"""

from migrations.scripts import run

revision: str = "0072_kept_billing"
down_revision: str | None = "0071_monthly_agents"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    run("repositories/sql/billing.sql")


def downgrade() -> None:
    """Leave the triggers: nothing empties these tables."""
