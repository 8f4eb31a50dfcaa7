"""Functions of reputation that cost an event less: what is seasoned is moved when there is something to move.

Revision ID: 0056_lighter_events
Revises: 0055_hidden_drafts
"""

from migrations.scripts import run

revision: str = "0056_lighter_events"
down_revision: str | None = "0055_hidden_drafts"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    # The first takes back what the others grant.
    for name in ("reputation", "reputation_nights", "reputation_seasoned", "reputation_boards", "reputation_recalls"):
        run(f"repositories/sql/{name}.sql")
    run("repositories/sql/organization_traits.sql")
    run("repositories/sql/reputation_client_events.sql")


def downgrade() -> None:
    """Leave the functions: they do the same."""
