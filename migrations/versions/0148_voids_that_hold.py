"""A chargeback of money voids what its purse paid for, a void is one for terms, and new traits read their own events.

Revision ID: 0148_voids_that_hold
Revises: 0147_disputes_of_a_payment
"""

from alembic import op

from migrations.scripts import run

revision: str = "0148_voids_that_hold"
down_revision: str | None = "0147_disputes_of_a_payment"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    # The first takes back what the others grant.
    for name in ("reputation", "reputation_nights", "reputation_seasoned", "reputation_boards", "reputation_recalls"):
        run(f"repositories/sql/{name}.sql")
    for name in ("organization_traits", "kept_traits", "reputation_client_events", "reputation_seasoned_clients"):
        run(f"repositories/sql/{name}.sql")


def downgrade() -> None:
    """Leave what is stricter, but for the function that the release before does not ask."""
    op.execute("DROP FUNCTION IF EXISTS reputation_purse(text)")
