"""The praise of one operator leaves room for what another one complains of.

Revision ID: 0212_room_for_complaints
Revises: 0211_agents_give_nothing_away
"""

from alembic import op

from migrations.scripts import run

revision: str = "0212_room_for_complaints"
down_revision: str | None = "0211_agents_give_nothing_away"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    # The first takes back what the others grant.
    for name in ("reputation", "reputation_nights", "reputation_seasoned", "reputation_boards", "reputation_recalls"):
        run(f"repositories/sql/{name}.sql")
    for name in ("organization_traits", "kept_traits", "reputation_client_events", "reputation_seasoned_clients"):
        run(f"repositories/sql/{name}.sql")
    run("repositories/sql/reputation_rates.sql")
    # The next night makes these rows again: what each operator praised is not in them yet.
    op.execute("""
        UPDATE reputation_agents a SET stale_at = coalesce(stale_at, clock_timestamp())
        WHERE EXISTS (SELECT FROM reputation_given g WHERE g.agent_id = a.agent_id AND g.counterparty = 'operators')
    """)


def downgrade() -> None:
    """Leave the functions: they read no column that older code does not have."""
