"""The history of scores by night, and on each agent's row what the last night found.

Revision ID: 0035_reputation_nights
Revises: 0034_reputation
"""

import sqlalchemy as sa
from alembic import op

from migrations.scripts import run

revision: str = "0035_reputation_nights"
down_revision: str | None = "0034_reputation"
branch_labels: str | None = None
depends_on: str | None = None

_FOUND = ("night_stars_e6", "night_low_e6", "night_high_e6")


def upgrade() -> None:
    op.add_column("reputation_agents", sa.Column("night_on", sa.Date(), nullable=True))
    for name in _FOUND:
        op.add_column("reputation_agents", sa.Column(name, sa.BigInteger(), nullable=True))
    op.create_table(
        "reputation_history",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("agent_id", sa.Text(), nullable=False),
        *(
            sa.Column(name, sa.BigInteger(), nullable=False)
            for name in ("stars_e6", "low_e6", "high_e6", "rank_e6", "moved_e6", "evidence_count")
        ),
        sa.Column("is_sudden", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("day", "agent_id", name=op.f("pk_reputation_history")),
        postgresql_partition_by="RANGE (day)",
    )
    run("repositories/sql/reputation_nights.sql")


def downgrade() -> None:
    op.drop_table("reputation_history")
    op.execute("DROP FUNCTION open_reputation_months(date, date)")
    for name in ("night_on", *_FOUND):
        op.drop_column("reputation_agents", name)
