"""What operators report about an agent is bounded, as what a client says is.

Revision ID: 0205_reports_are_bounded
Revises: 0203_numbers_of_events
"""

from migrations.scripts import run

revision: str = "0205_reports_are_bounded"
down_revision: str | None = "0203_numbers_of_events"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    # The first takes back what the others grant.
    for name in ("reputation", "reputation_nights", "reputation_seasoned", "reputation_boards", "reputation_recalls"):
        run(f"repositories/sql/{name}.sql")
    for name in ("organization_traits", "kept_traits", "reputation_client_events", "reputation_seasoned_clients"):
        run(f"repositories/sql/{name}.sql")
    run("repositories/sql/reputation_rates.sql")


def downgrade() -> None:
    """Leave the functions: they read no column that older code does not have."""
