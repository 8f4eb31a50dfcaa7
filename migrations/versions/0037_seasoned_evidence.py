"""From when on each event counts for terms, and what an agent has of it.

Revision ID: 0037_seasoned_evidence
Revises: 0036_trusted_clients
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.scripts import run

revision: str = "0037_seasoned_evidence"
down_revision: str | None = "0036_trusted_clients"
branch_labels: str | None = None
depends_on: str | None = None

#: How long after its event good evidence counts, by default. What was there before says no other.
_DAYS = 120
_FILL = f"""
UPDATE reputation_events e
SET seasoned_on = e.day + CASE WHEN e.source <> 'operator' AND s.good >= s.bad THEN {_DAYS} ELSE 0 END
FROM (SELECT id, coalesce(sum((value ->> 'good_e6')::bigint), 0) AS good,
             coalesce(sum((value ->> 'bad_e6')::bigint), 0) AS bad
      FROM reputation_events LEFT JOIN LATERAL jsonb_array_elements(says) said ON true GROUP BY id) s
WHERE s.id = e.id
"""


def upgrade() -> None:
    op.create_table(
        "reputation_seasoned",
        sa.Column("agent_id", sa.Text(), nullable=False),
        sa.Column("through", sa.Date(), nullable=False),
        sa.Column("evidence_count", sa.BigInteger(), nullable=False),
        *(
            sa.Column(name, postgresql.ARRAY(sa.BigInteger()), nullable=False)
            for name in ("good_e6", "bad_e6", "held_e6")
        ),
        sa.Column("since", postgresql.ARRAY(sa.Date()), nullable=False),
        sa.ForeignKeyConstraint(["agent_id"], ["agents.id"], name=op.f("fk_reputation_seasoned_agent_id_agents")),
        sa.PrimaryKeyConstraint("agent_id", name=op.f("pk_reputation_seasoned")),
    )
    op.add_column("reputation_events", sa.Column("seasoned_on", sa.Date(), nullable=True))
    op.execute("ALTER TABLE reputation_events DISABLE TRIGGER refuse_change")
    op.execute(_FILL)
    op.execute("ALTER TABLE reputation_events ENABLE TRIGGER refuse_change")
    op.alter_column("reputation_events", "seasoned_on", nullable=False)
    op.create_index("ix_reputation_events_agent_id_seasoned_on", "reputation_events", ["agent_id", "seasoned_on"])
    # The first takes back what the others grant.
    for name in ("reputation", "reputation_nights", "reputation_seasoned"):
        run(f"repositories/sql/{name}.sql")


def downgrade() -> None:
    op.execute(
        "DROP FUNCTION reputation_seasoned_score, reputation_reseason, reputation_season, reputation_seasoned_at"
    )
    op.drop_index("ix_reputation_events_agent_id_seasoned_on", "reputation_events")
    op.drop_column("reputation_events", "seasoned_on")
    op.drop_table("reputation_seasoned")
