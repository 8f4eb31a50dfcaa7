"""After a restore, events go on behind a gap of their numbers, and so do entities without a document.

Revision ID: 0203_numbers_of_events
Revises: 0201_auto_topup_retries
"""

from migrations.scripts import run

revision: str = "0203_numbers_of_events"
down_revision: str | None = "0201_auto_topup_retries"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    run("repositories/sql/number_gaps.sql")
    run("repositories/sql/event_facts.sql")


def downgrade() -> None:
    """Leave the functions: without a restore they give the same numbers."""
