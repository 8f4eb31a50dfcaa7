"""What small sales cost is divided over all of them, and the platform may ask which spend controls hold.

Revision ID: 0137_shared_costs
Revises: 0136_held_above
"""

from migrations.scripts import run

revision: str = "0137_shared_costs"
down_revision: str | None = "0136_held_above"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    for name in ("lots", "lots_access", "sales", "controls"):
        run(f"ledger/sql/{name}.sql")


def downgrade() -> None:
    """Leave the functions: the release before calls them as it did."""
