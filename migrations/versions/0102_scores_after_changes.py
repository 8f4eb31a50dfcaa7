"""Events of scores are numbered behind those of changes of their agents.

Revision ID: 0102_scores_after_changes
Revises: 0101_agent_retirement
"""

from migrations.scripts import run

revision: str = "0102_scores_after_changes"
down_revision: str | None = "0101_agent_retirement"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    run("repositories/sql/event_facts.sql")


def downgrade() -> None:
    """Leave the function: what it does is good for the version before as well."""
