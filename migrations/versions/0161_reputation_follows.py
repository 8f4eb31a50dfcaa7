"""Leaderboards follow visibility, evidence given again counts once, and rows made again follow the rate of each night.

Revision ID: 0161_reputation_follows
Revises: 0158_refunds_of_purchases
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

from migrations.scripts import run

revision: str = "0161_reputation_follows"
down_revision: str | None = "0158_refunds_of_purchases"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.create_table(
        "reputation_rates",
        sa.Column("until", sa.Date(), nullable=False),
        sa.Column("factors_e12", ARRAY(sa.BigInteger()), nullable=False),
        sa.PrimaryKeyConstraint("until", name=op.f("pk_reputation_rates")),
    )
    # The first takes back what the others grant.
    for name in ("reputation", "reputation_nights", "reputation_seasoned", "reputation_boards", "reputation_recalls"):
        run(f"repositories/sql/{name}.sql")
    for name in ("organization_traits", "kept_traits", "reputation_client_events", "reputation_seasoned_clients"):
        run(f"repositories/sql/{name}.sql")
    run("repositories/sql/reputation_rates.sql")
    for table in ("reputation_agents", "reputation_scores"):
        board = "CASE a.visibility WHEN 'public' THEN 'public' ELSE a.org_id END"
        op.execute(
            f"UPDATE {table} r SET board = {board} FROM agents a WHERE a.id = r.agent_id AND r.board <> {board}"
        )


def downgrade() -> None:
    op.execute("DROP TRIGGER IF EXISTS agent_retired ON agents")
    op.execute("DROP TRIGGER agent_visibility_changed ON agents")
    op.execute("DROP FUNCTION agent_visibility_changed")
    # What asks for rates that held before stays, and finds none.
    op.execute(
        """
        CREATE OR REPLACE FUNCTION reputation_faded_between(p_amount bigint, p_from date, p_to date) RETURNS bigint
        LANGUAGE sql STABLE AS $$ SELECT reputation_faded(p_amount, p_to - p_from) $$
        """
    )
    op.execute(
        """
        CREATE OR REPLACE FUNCTION reputation_turn() RETURNS date
        LANGUAGE sql STABLE AS $$ SELECT '-infinity'::date $$
        """
    )
    op.drop_table("reputation_rates")
