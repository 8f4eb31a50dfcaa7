"""What was said of bad work stays when the money for it is refunded.

Revision ID: 0199_bad_work_stays
Revises: 0198_recalls_of_bills
"""

from alembic import op

from migrations.scripts import run

revision: str = "0199_bad_work_stays"
down_revision: str | None = "0198_recalls_of_bills"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    # What was recalled before keeps everything void: which of it a bank took is not on record here.
    op.execute("ALTER TABLE reputation_recalls ADD COLUMN IF NOT EXISTS by_bank boolean NOT NULL DEFAULT true")
    # The first takes back what the others grant.
    for name in ("reputation", "reputation_nights", "reputation_seasoned", "reputation_boards", "reputation_recalls"):
        run(f"repositories/sql/{name}.sql")
    for name in ("organization_traits", "kept_traits", "reputation_client_events", "reputation_seasoned_clients"):
        run(f"repositories/sql/{name}.sql")
    run("repositories/sql/reputation_rates.sql")


def downgrade() -> None:
    """Leave the column, which has a default: the functions read it."""
