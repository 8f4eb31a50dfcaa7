"""Evidence follows the credits of a payment that stayed with an escrow, and a stated tax id makes no counterparty.

Revision ID: 0138_net_recalls
Revises: 0137_shared_costs
"""

from migrations.scripts import run

revision: str = "0138_net_recalls"
down_revision: str | None = "0137_shared_costs"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    # The first takes back what the others grant.
    for name in ("reputation", "reputation_nights", "reputation_seasoned", "reputation_boards", "reputation_recalls"):
        run(f"repositories/sql/{name}.sql")
    for name in ("organization_traits", "kept_traits", "reputation_client_events", "reputation_seasoned_clients"):
        run(f"repositories/sql/{name}.sql")


def downgrade() -> None:
    """Leave what is stricter: the release before asks it the same."""
