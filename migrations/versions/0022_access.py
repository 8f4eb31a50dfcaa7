"""Nobody but its owner may call a function of the books that is made later, until it is granted.

Revision ID: 0022_access
Revises: 0021_alerts
"""

from migrations.scripts import run

revision = "0022_access"
down_revision = "0021_alerts"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run("ledger/sql/access.sql")


def downgrade() -> None:
    """Leave what may be called: it is no less than before."""
