"""What was paid for with earned credits says nothing once their payment went back.

Revision ID: 0206_passed_credits
Revises: 0205_reports_are_bounded
"""

from migrations.scripts import run

revision: str = "0206_passed_credits"
down_revision: str | None = "0205_reports_are_bounded"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    run("repositories/sql/reputation_recalls.sql")


def downgrade() -> None:
    """Leave the functions: they read no column that older code does not have."""
