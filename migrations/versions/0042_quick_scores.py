"""Functions of reputation that cost an event less.

Revision ID: 0042_quick_scores
Revises: 0041_recalled_evidence
"""

from migrations.scripts import run

revision: str = "0042_quick_scores"
down_revision: str | None = "0041_recalled_evidence"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    # The first takes back what the others grant.
    for name in ("reputation", "reputation_nights", "reputation_seasoned", "reputation_boards", "reputation_recalls"):
        run(f"repositories/sql/{name}.sql")


def downgrade() -> None:
    """Leave the functions: they do the same."""
