"""Usage events by month, their digests, and what they add up to by day.

Revision ID: 0011_usage_events
Revises: 0010_action_costs
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.scripts import run

revision: str = "0011_usage_events"
down_revision: str | None = "0010_action_costs"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.create_table(
        "usage_digests",
        sa.Column("digest", sa.UUID(), nullable=False),
        sa.Column("content", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_usage_digests")),
    )
    texts = ("agent_id", "department_id", "project_id", "run_id", "step_id", "parent_id", "provider", "model")
    op.create_table(
        "usage_events",
        sa.Column("org_id", sa.Text(), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("digest", sa.UUID(), nullable=False),
        sa.Column(
            "recorded_in", sa.BigInteger(), server_default=sa.text("pg_current_xact_id()::text::bigint"), nullable=False
        ),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=True),
        sa.Column("action", sa.Text(), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=True) for name in texts),
        sa.Column("spend_id", sa.Text(), nullable=True),
        sa.Column("sent_by", sa.Text(), nullable=False),
        sa.Column("key_id", sa.Text(), nullable=True),
        sa.Column("data", postgresql.JSONB(), nullable=False),
        sa.Column("usage", postgresql.JSONB(), nullable=True),
        sa.Column("currency", sa.Text(), nullable=True),
        sa.Column("cost_pico", sa.Numeric(38, 0), nullable=True),
        sa.Column("creator_pico", sa.Numeric(38, 0), nullable=True),
        sa.Column("platform_pico", sa.Numeric(38, 0), nullable=True),
        sa.Column("rated_by", sa.Text(), nullable=True),
        sa.Column("price_ref", sa.Text(), nullable=True),
        sa.Column("creator_org_id", sa.Text(), nullable=True),
        sa.Column("meters", postgresql.ARRAY(sa.BigInteger()), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "occurred_at", "id", name=op.f("pk_usage_events")),
        postgresql_partition_by="RANGE (occurred_at)",
    )
    op.create_index("ix_usage_events_recorded_in_id", "usage_events", ["recorded_in", "id"], unique=False)
    op.create_index(
        "ix_usage_events_org_id_run_id",
        "usage_events",
        ["org_id", "run_id"],
        unique=False,
        postgresql_where=sa.text("run_id IS NOT NULL"),
    )
    counts = ("events", "input_tokens", "output_tokens", "cached_tokens", "reasoning_tokens")
    op.create_table(
        "usage_days",
        sa.Column("org_id", sa.Text(), nullable=False),
        sa.Column("dimension", sa.Text(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in counts),
        *(
            sa.Column(name, sa.Numeric(38, 0), nullable=False)
            for name in ("cost_pico", "creator_pico", "platform_pico")
        ),
        sa.PrimaryKeyConstraint("org_id", "dimension", "day", "value", "currency", name=op.f("pk_usage_days")),
    )
    run("repositories/sql/usage.sql")


def downgrade() -> None:
    for table in ("usage_days", "usage_events", "usage_digests"):
        op.drop_table(table)
    op.execute("DROP FUNCTION open_usage_months(timestamptz, timestamptz)")
    op.execute("DROP SCHEMA partitions CASCADE")
