"""Leaderboards follow an agent's visibility, and evidence that is given again is in no score twice.

Revision ID: 0161_boards_follow_visibility
Revises: 0158_refunds_of_purchases
"""

from alembic import op

from migrations.scripts import run

revision: str = "0161_boards_follow_visibility"
down_revision: str | None = "0158_refunds_of_purchases"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    for name in ("reputation_boards", "reputation_recalls"):
        run(f"repositories/sql/{name}.sql")
    for table in ("reputation_agents", "reputation_scores"):
        board = "CASE a.visibility WHEN 'public' THEN 'public' ELSE a.org_id END"
        op.execute(
            f"UPDATE {table} r SET board = {board} FROM agents a WHERE a.id = r.agent_id AND r.board <> {board}"
        )


def downgrade() -> None:
    op.execute("DROP TRIGGER agent_visibility_changed ON agents")
    op.execute("DROP FUNCTION agent_visibility_changed")
