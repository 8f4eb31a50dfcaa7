"""Evidence follows the credits of a payment that stayed with an escrow, and not those that came back from it.

Revision ID: 0138_net_recalls
Revises: 0137_shared_costs
"""

from migrations.scripts import run

revision: str = "0138_net_recalls"
down_revision: str | None = "0137_shared_costs"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    run("repositories/sql/reputation_recalls.sql")


def downgrade() -> None:
    """Leave what is stricter: the release before asks it the same."""
