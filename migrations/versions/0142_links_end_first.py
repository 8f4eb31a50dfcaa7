"""A key that is revoked ends links before sessions, and one that has expired is spent for still.

Revision ID: 0142_links_end_first
Revises: 0141_contact_changes
"""

from migrations.scripts import run

revision: str = "0142_links_end_first"
down_revision: str | None = "0141_contact_changes"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    run("repositories/sql/sessions.sql")


def downgrade() -> None:
    """Leave what is stricter: the release before asks it the same."""
