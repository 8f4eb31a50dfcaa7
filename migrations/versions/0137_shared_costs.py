"""What small sales cost is divided between creator and platform over all of them, and not one by one.

Revision ID: 0137_shared_costs
Revises: 0136_held_above
"""

from migrations.scripts import run

revision: str = "0137_shared_costs"
down_revision: str | None = "0136_held_above"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    for name in ("lots", "lots_access", "sales"):
        run(f"ledger/sql/{name}.sql")


def downgrade() -> None:
    """Leave the functions: the release before calls them as it did."""
