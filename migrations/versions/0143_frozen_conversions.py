"""What an agent has earned of a payment that is being charged back is not converted.

Revision ID: 0143_frozen_conversions
Revises: 0142_links_end_first
"""

from alembic import op

from migrations.scripts import run

revision: str = "0143_frozen_conversions"
down_revision: str | None = "0142_links_end_first"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    # The new one takes one argument more, which the release before leaves out.
    op.execute("DROP FUNCTION IF EXISTS ledger.convertible(bigint, integer, timestamptz, timestamptz)")
    for name in ("lots", "lots_access"):
        run(f"ledger/sql/{name}.sql")


def downgrade() -> None:
    """Leave the functions: the release before calls them as it did."""
