"""Where the spends are that name a value, so that lists of few among many skip the others. Days are added up anew.

Revision ID: 0038_spend_places
Revises: 0037_seasoned_evidence
"""

import sqlalchemy as sa
from alembic import op

from migrations.scripts import run

revision: str = "0038_spend_places"
down_revision: str | None = "0037_seasoned_evidence"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.create_table(
        "spend_places",
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("org_id", "kind", "value")),
        sa.Column("day", sa.Date(), nullable=False),
        *(sa.Column(name, sa.UUID(), nullable=False) for name in ("first_id", "last_id")),
        sa.PrimaryKeyConstraint("org_id", "kind", "value", "day", name=op.f("pk_spend_places")),
    )
    run("repositories/sql/spend_places.sql")
    # A day that is added up has its places. Until the sweep has been there, what is read is read spend by spend.
    op.execute("DELETE FROM spend_days")
    op.execute("DELETE FROM spend_rollups")


def downgrade() -> None:
    op.drop_table("spend_places")
