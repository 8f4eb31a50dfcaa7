"""What an agent was sold for is converted once its buyer cannot give it back any more.

Revision ID: 0125_convertible_sales
Revises: 0124_webhook_turns
"""

from alembic import op

from migrations.scripts import run

revision: str = "0125_convertible_sales"
down_revision: str | None = "0124_webhook_turns"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    # The new one takes one argument more, which the release before leaves out.
    op.execute("DROP FUNCTION IF EXISTS ledger.convertible(bigint, integer, timestamptz)")
    for name in ("lots", "lots_access"):
        run(f"ledger/sql/{name}.sql")


def downgrade() -> None:
    """Leave the functions: the release before calls them as it did."""
