"""The outbox: facts that others hear of.

Revision ID: 0083_events
Revises: 0082_disputed_credits
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.scripts import run

revision: str = "0083_events"
down_revision: str | None = "0082_disputed_credits"
branch_labels: str | None = None
depends_on: str | None = None

_TABLE = "events"


def upgrade() -> None:
    op.create_table(
        _TABLE,
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("id", "type", "org_id", "subject")),
        sa.Column("subject_seq", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("data", postgresql.JSONB(), nullable=False),
        sa.Column(
            "written_in",
            sa.BigInteger(),
            server_default=sa.text("pg_current_xact_id()::text::bigint"),
            nullable=False,
        ),
        sa.CheckConstraint("pg_column_size(data) <= 20480", name=op.f(f"ck_{_TABLE}_size")),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{_TABLE}")),
        sa.UniqueConstraint("subject", "org_id", "subject_seq", name=f"uq_{_TABLE}_subject"),
    )
    op.create_index(f"ix_{_TABLE}_written_in_id", _TABLE, ["written_in", "id"])
    op.create_index(f"ix_{_TABLE}_org_id_written_in_id", _TABLE, ["org_id", "written_in", "id"])
    run("repositories/sql/events.sql")
    op.alter_column(_TABLE, "id", server_default=sa.text("new_event_id()"))


def downgrade() -> None:
    op.drop_table(_TABLE)
    op.execute("DROP FUNCTION new_event_id()")
