"""Events of a range of time are read from where it begins.

Revision ID: 0118_event_ranges
Revises: 0117_paused_exits
"""

from alembic import op

from migrations.scripts import run

revision: str = "0118_event_ranges"
down_revision: str | None = "0117_paused_exits"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    run("repositories/sql/events.sql")


def downgrade() -> None:
    op.execute("DROP FUNCTION event_written_before(text)")
