"""Limits above a control hold outside of its time, and what relatives said is not given again.

Revision ID: 0136_held_above
Revises: 0135_lighter_evidence
"""

from migrations.scripts import run

revision: str = "0136_held_above"
down_revision: str | None = "0135_lighter_evidence"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    run("ledger/sql/spend_quick.sql")
    # The first takes back what the others grant.
    for name in ("reputation", "reputation_nights", "reputation_seasoned", "reputation_boards", "reputation_recalls"):
        run(f"repositories/sql/{name}.sql")
    for name in ("organization_traits", "kept_traits", "reputation_client_events", "reputation_seasoned_clients"):
        run(f"repositories/sql/{name}.sql")


def downgrade() -> None:
    """Leave what is stricter: it does the same for whatever the older rules did right."""
