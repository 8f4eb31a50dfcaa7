"""Categories of agents, leaderboards by them, and places among peers; an index that nothing read is dropped.

Revision ID: 0039_reputation_boards
Revises: 0038_spend_places
"""

import sqlalchemy as sa
from alembic import op

from migrations.scripts import run

revision: str = "0039_reputation_boards"
down_revision: str | None = "0038_spend_places"
branch_labels: str | None = None
depends_on: str | None = None

_BAND = (
    "(CASE WHEN evidence_count > 0 THEN"
    " CASE WHEN {day} - latest_on <= 7 THEN 0 WHEN {day} - latest_on <= 30 THEN 4"
    " WHEN {day} - latest_on <= 90 THEN 8 ELSE 12 END"
    " + CASE WHEN evidence_count < 5 THEN 0 WHEN evidence_count < 20 THEN 1 WHEN evidence_count < 100 THEN 2 ELSE 3 END"
    " END)::smallint"
)
_TABLES = {
    "reputation_scores": ("through", ["dimension"]),
    "reputation_agents": ("coalesce(night_on, latest_on)", []),
}
_BOARD = ["board", "band", sa.text("rank_e6 DESC"), "agent_id"]
_OF_CATEGORY = sa.text("category IS NOT NULL")


def upgrade() -> None:
    op.add_column("agents", sa.Column("category", sa.Text(), nullable=True))
    op.drop_index("ix_reputation_scores_through", table_name="reputation_scores")
    for table, (day, first) in _TABLES.items():
        op.drop_index(f"ix_{table}_rank", table_name=table)
        op.add_column(table, sa.Column("latest_on", sa.Date(), nullable=True))
        op.add_column(table, sa.Column("board", sa.Text(), nullable=True))
        op.add_column(table, sa.Column("category", sa.Text(), nullable=True))
        band = sa.Computed(_BAND.format(day=day), persisted=True)
        op.add_column(table, sa.Column("band", sa.SmallInteger(), band, nullable=True))
        since = "since" if first else "(SELECT max(since) FROM reputation_scores s WHERE s.agent_id = r.agent_id)"
        op.execute(
            f"UPDATE {table} r SET latest_on = {since}, "
            "board = CASE a.visibility WHEN 'public' THEN 'public' ELSE a.org_id END "
            "FROM agents a WHERE a.id = r.agent_id"
        )
        op.alter_column(table, "board", nullable=False)
        op.create_index(f"ix_{table}_rank", table, [*first, *_BOARD])
        op.create_index(f"ix_{table}_category", table, ["category", *first, *_BOARD], postgresql_where=_OF_CATEGORY)
    op.create_table(
        "reputation_peers",
        sa.Column("category", sa.Text(), nullable=False),
        sa.Column("dimension", sa.Text(), nullable=False),
        sa.Column("step", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("agents", sa.BigInteger(), nullable=False),
        sa.Column("below", sa.BigInteger(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.PrimaryKeyConstraint("category", "dimension", "step", name=op.f("pk_reputation_peers")),
    )
    # The first takes back what the others grant.
    for name in ("reputation", "reputation_nights", "reputation_seasoned", "reputation_boards"):
        run(f"repositories/sql/{name}.sql")


def downgrade() -> None:
    op.execute("DROP TRIGGER agent_category_changed ON agents")
    op.drop_table("reputation_peers")
    for table, (_, first) in _TABLES.items():
        op.execute(f"DROP TRIGGER reputation_placed ON {table}")
        for name in ("rank", "category"):
            op.drop_index(f"ix_{table}_{name}", table_name=table)
        for name in ("band", "category", "board", "latest_on"):
            op.drop_column(table, name)
        op.create_index(f"ix_{table}_rank", table, [*first, sa.text("rank_e6 DESC"), "agent_id"])
    op.execute("DROP FUNCTION reputation_placed, agent_category_changed")
    op.create_index("ix_reputation_scores_through", "reputation_scores", ["through"])
    op.drop_column("agents", "category")
