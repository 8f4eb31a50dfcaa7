"""A hold that follows another pins what that one had pinned, and no other credits that are due.

Revision ID: 0026_kept_pins
Revises: 0025_tenant_alerts
"""

from migrations.scripts import run

revision: str = "0026_kept_pins"
down_revision: str | None = "0025_tenant_alerts"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    run("ledger/sql/lots.sql")


def downgrade() -> None:
    """Keep the function: with the one before, steps of a reservation used credits that had expired."""
