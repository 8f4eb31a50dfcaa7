"""Levels, prices and leaderboards ask for evidence by its weight; agents of who is suspended are on no public board.

Revision ID: 0173_evidence_by_weight
Revises: 0172_contracts_opened_in_time
"""

import sqlalchemy as sa
from alembic import op

from migrations.scripts import run

revision: str = "0173_evidence_by_weight"
down_revision: str | None = "0172_contracts_opened_in_time"
branch_labels: str | None = None
depends_on: str | None = None

_DAYS = {"reputation_scores": "through", "reputation_agents": "coalesce(night_on, latest_on)"}
_BAND = (
    "(width_bucket({day} - latest_on, '{{8,31,91}}'::integer[]) * 4"
    " + width_bucket(nullif({evidence}, 0), '{{{steps}}}'::bigint[]))::smallint"
)
#: What each event counted for, by dimension.
_COUNTED = """
    SELECT e.agent_id, e.seq, e.seasoned_on, value ->> 'dimension' AS dimension,
        coalesce(value ->> 'counted_good_e6', value ->> 'good_e6')::bigint
        + coalesce(value ->> 'counted_bad_e6', value ->> 'bad_e6')::bigint AS counted
    FROM reputation_events e, LATERAL jsonb_array_elements(e.says)
    WHERE e.voided_at IS NULL AND e.excluded IS NULL
"""
_HEAVIEST = f"SELECT agent_id, seq, seasoned_on, max(counted) AS counted FROM ({_COUNTED}) c GROUP BY 1, 2, 3"


def upgrade() -> None:
    for table in ("reputation_agents", "reputation_scores", "reputation_seasoned"):
        op.add_column(table, sa.Column("evidence_e6", sa.BigInteger(), server_default=sa.text("0"), nullable=False))
    op.execute(
        "UPDATE reputation_scores s SET evidence_e6 = w.sum FROM ("
        f"SELECT agent_id, dimension, sum(least(1000000, counted)) FROM ({_COUNTED}) c GROUP BY 1, 2) w"
        " WHERE s.agent_id = w.agent_id AND s.dimension = w.dimension"
    )
    op.execute(
        "UPDATE reputation_agents a SET evidence_e6 = w.sum FROM ("
        f"SELECT agent_id, sum(least(1000000, counted)) FROM ({_HEAVIEST}) c GROUP BY 1) w"
        " WHERE a.agent_id = w.agent_id"
    )
    op.execute(
        "UPDATE reputation_seasoned s SET evidence_e6 = w.sum FROM ("
        "SELECT c.agent_id, sum(least(1000000, counted))"
        f" FROM ({_HEAVIEST}) c JOIN reputation_seasoned k ON k.agent_id = c.agent_id AND c.seasoned_on <= k.through"
        " GROUP BY 1) w WHERE s.agent_id = w.agent_id"
    )
    _band("evidence_e6", "5000000,20000000,100000000")
    # The first takes back what the others grant.
    for name in ("reputation", "reputation_nights", "reputation_seasoned", "reputation_boards", "reputation_recalls"):
        run(f"repositories/sql/{name}.sql")
    for name in ("organization_traits", "kept_traits", "reputation_client_events", "reputation_seasoned_clients"):
        run(f"repositories/sql/{name}.sql")
    run("repositories/sql/reputation_rates.sql")
    for table in ("reputation_agents", "reputation_scores"):
        op.execute(
            f"UPDATE {table} r SET board = a.org_id FROM agents a JOIN organizations o ON o.id = a.org_id"
            " WHERE a.id = r.agent_id AND o.status = 'suspended' AND r.board <> a.org_id"
        )


def downgrade() -> None:
    """Take the columns away; the functions of before have to be made again by whoever runs that version."""
    _band("evidence_count", "5,20,100")
    for table in ("reputation_agents", "reputation_scores", "reputation_seasoned"):
        op.drop_column(table, "evidence_e6")


def _band(evidence: str, steps: str) -> None:
    for table, day in _DAYS.items():
        expression = _BAND.format(day=day, evidence=evidence, steps=steps)
        op.execute(f"ALTER TABLE {table} ALTER COLUMN band SET EXPRESSION AS ({expression})")
