"""The evidence of agents and clients, their scores, and feedback.

Revision ID: 0034_reputation
Revises: 0033_due_lots
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.scripts import run

revision: str = "0034_reputation"
down_revision: str | None = "0033_due_lots"
branch_labels: str | None = None
depends_on: str | None = None

#: What a night leaves, in ten-thousandths, and the nights after which nothing is left.
_RATE_E4, _NIGHTS = 9_500, 539


def upgrade() -> None:
    op.create_table(
        "reputation_given",
        sa.Column("agent_id", sa.Text(), nullable=False),
        sa.Column("dimension", sa.Text(), nullable=False),
        sa.Column("counterparty", sa.Text(), nullable=False),
        sa.Column("good_e6", sa.BigInteger(), nullable=False),
        sa.Column("bad_e6", sa.BigInteger(), nullable=False),
        sa.Column("since", sa.Date(), nullable=False),
        sa.PrimaryKeyConstraint("agent_id", "dimension", "counterparty", name=op.f("pk_reputation_given")),
    )
    op.create_table(
        "reputation_powers",
        sa.Column("nights", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("factor_e12", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("nights", name=op.f("pk_reputation_powers")),
    )
    op.create_table(
        "reputation_priors",
        sa.Column("dimension", sa.Text(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("newcomer_e6", sa.BigInteger(), nullable=False),
        sa.Column("proven_e6", sa.BigInteger(), nullable=False),
        sa.Column("newcomer_good_e6", sa.BigInteger(), nullable=False),
        sa.Column("newcomer_bad_e6", sa.BigInteger(), nullable=False),
        sa.Column("proven_good_e6", sa.BigInteger(), nullable=False),
        sa.Column("proven_bad_e6", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("dimension", "day", name=op.f("pk_reputation_priors")),
    )
    op.create_table(
        "reputation_clients",
        sa.Column("org_id", sa.Text(), nullable=False),
        sa.Column("good_e6", sa.BigInteger(), nullable=False),
        sa.Column("bad_e6", sa.BigInteger(), nullable=False),
        sa.Column("since", sa.Date(), nullable=False),
        sa.Column("held_e6", sa.BigInteger(), nullable=False),
        sa.Column("prior_e6", sa.BigInteger(), nullable=False),
        sa.Column("through", sa.Date(), nullable=False),
        sa.ForeignKeyConstraint(
            ["org_id"], ["organizations.id"], name=op.f("fk_reputation_clients_org_id_organizations")
        ),
        sa.PrimaryKeyConstraint("org_id", name=op.f("pk_reputation_clients")),
    )
    op.create_index("ix_reputation_clients_through", "reputation_clients", ["through"], unique=False)
    op.create_table(
        "reputation_agents",
        sa.Column("agent_id", sa.Text(), nullable=False),
        sa.Column("started_on", sa.Date(), nullable=False),
        sa.Column("evidence_count", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("ended", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("succeeded", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("response_count", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("response_total_ms", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("response_buckets", postgresql.ARRAY(sa.BigInteger()), nullable=False),
        sa.Column("stars_e6", sa.BigInteger(), nullable=False),
        sa.Column("rank_e6", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["agent_id"], ["agents.id"], name=op.f("fk_reputation_agents_agent_id_agents")),
        sa.PrimaryKeyConstraint("agent_id", name=op.f("pk_reputation_agents")),
        postgresql_with={"fillfactor": "80"},
    )
    op.create_index(
        "ix_reputation_agents_rank", "reputation_agents", [sa.text("rank_e6 DESC"), "agent_id"], unique=False
    )
    op.create_table(
        "reputation_events",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("agent_id", sa.Text(), nullable=False),
        sa.Column("agent_org_id", sa.Text(), nullable=False),
        sa.Column("counterparty_org_id", sa.Text(), nullable=True),
        sa.Column("counterparty", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("weight_e6", sa.BigInteger(), nullable=False),
        sa.Column("rater_e6", sa.BigInteger(), nullable=False),
        sa.Column("excluded", sa.Text(), nullable=True),
        sa.Column("says", postgresql.JSONB(), nullable=False),
        sa.Column("client_good_e6", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("client_bad_e6", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("is_end", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("is_success", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("response_ms", sa.BigInteger(), nullable=True),
        sa.Column("score_delta_e6", sa.BigInteger(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "recorded_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column("voided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("voided_by", sa.Text(), nullable=True),
        sa.Column("void_reason", sa.Text(), nullable=True),
        sa.CheckConstraint("excluded IN ('own', 'related', 'unpaid')", name=op.f("ck_reputation_events_excluded")),
        sa.CheckConstraint(
            "kind IN ('released', 'split', 'refunded', 'undelivered', 'validated', 'dispute_lost', 'in_time', 'late', 'responded', 'sla_kept', 'sla_missed', 'feedback', 'reported')",
            name=op.f("ck_reputation_events_kind"),
        ),
        sa.CheckConstraint(
            "num_nonnulls(voided_at, voided_by, void_reason) IN (0, 3)", name=op.f("ck_reputation_events_voided")
        ),
        sa.CheckConstraint(
            "weight_e6 >= 0 AND (excluded IS NULL OR weight_e6 = 0)", name=op.f("ck_reputation_events_weight")
        ),
        sa.ForeignKeyConstraint(["agent_id"], ["agents.id"], name=op.f("fk_reputation_events_agent_id_agents")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reputation_events")),
    )
    op.create_index("ix_reputation_events_agent_id_seq", "reputation_events", ["agent_id", "seq"], unique=False)
    op.create_index(
        "ix_reputation_events_counterparty_org_id_seq",
        "reputation_events",
        ["counterparty_org_id", "seq"],
        unique=False,
    )
    op.create_index("ix_reputation_events_day", "reputation_events", ["day"], unique=False)
    op.create_index("ix_reputation_events_subject", "reputation_events", ["subject"], unique=False)
    op.create_index("uq_reputation_events_source_key", "reputation_events", ["source", "key"], unique=True)
    op.create_table(
        "reputation_scores",
        sa.Column("agent_id", sa.Text(), nullable=False),
        sa.Column("dimension", sa.Text(), nullable=False),
        sa.Column("good_e6", sa.BigInteger(), nullable=False),
        sa.Column("bad_e6", sa.BigInteger(), nullable=False),
        sa.Column("since", sa.Date(), nullable=False),
        sa.Column("held_e6", sa.BigInteger(), nullable=False),
        sa.Column("earned_e6", sa.BigInteger(), nullable=False),
        sa.Column("prior_e6", sa.BigInteger(), nullable=False),
        sa.Column("through", sa.Date(), nullable=False),
        sa.Column("stars_e6", sa.BigInteger(), nullable=False),
        sa.Column("rank_e6", sa.BigInteger(), nullable=False),
        sa.Column("evidence_count", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.CheckConstraint(
            "dimension IN ('task_success', 'response_time', 'reliability', 'collaboration', 'quality')",
            name=op.f("ck_reputation_scores_dimension"),
        ),
        sa.CheckConstraint(
            "good_e6 >= 0 AND bad_e6 >= 0 AND held_e6 >= 0 AND since <= through",
            name=op.f("ck_reputation_scores_evidence"),
        ),
        sa.ForeignKeyConstraint(["agent_id"], ["agents.id"], name=op.f("fk_reputation_scores_agent_id_agents")),
        sa.PrimaryKeyConstraint("agent_id", "dimension", name=op.f("pk_reputation_scores")),
        postgresql_with={"fillfactor": "80"},
    )
    op.create_index(
        "ix_reputation_scores_rank",
        "reputation_scores",
        ["dimension", sa.text("rank_e6 DESC"), "agent_id"],
        unique=False,
    )
    op.create_index("ix_reputation_scores_through", "reputation_scores", ["through"], unique=False)
    op.create_table(
        "reputation_feedback",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("contract_id", sa.Text(), nullable=False),
        sa.Column("agent_id", sa.Text(), nullable=False),
        sa.Column("agent_org_id", sa.Text(), nullable=False),
        sa.Column("org_id", sa.Text(), nullable=False),
        sa.Column("ratings", postgresql.JSONB(), nullable=False),
        sa.Column("comment", sa.Text(), nullable=True),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("given_by", sa.Text(), nullable=False),
        sa.Column("command_id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("change_command_id", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["agent_id"], ["agents.id"], name=op.f("fk_reputation_feedback_agent_id_agents")),
        sa.ForeignKeyConstraint(
            ["contract_id"], ["contracts.id"], name=op.f("fk_reputation_feedback_contract_id_contracts")
        ),
        sa.ForeignKeyConstraint(
            ["event_id"], ["reputation_events.id"], name=op.f("fk_reputation_feedback_event_id_reputation_events")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reputation_feedback")),
        sa.UniqueConstraint("command_id", name=op.f("uq_reputation_feedback_command_id")),
    )
    op.create_index("ix_reputation_feedback_agent_id_id", "reputation_feedback", ["agent_id", "id"], unique=False)
    op.create_index(
        "ix_reputation_feedback_agent_org_id_id", "reputation_feedback", ["agent_org_id", "id"], unique=False
    )
    op.create_index("ix_reputation_feedback_org_id_id", "reputation_feedback", ["org_id", "id"], unique=False)
    op.create_index("uq_reputation_feedback_contract_id", "reputation_feedback", ["contract_id"], unique=True)
    powers = ", ".join(f"({n}, {_RATE_E4**n * 10**12 // 10 ** (4 * n)})" for n in range(_NIGHTS))
    op.execute(f"INSERT INTO reputation_powers (nights, factor_e12) VALUES {powers}")
    run("repositories/sql/reputation.sql")


def downgrade() -> None:
    op.execute(
        "DROP FUNCTION reputation_take, reputation_give, reputation_void, reputation_remake, reputation_remake_client,"
        " reputation_apply, reputation_apply_client, reputation_counterparty, reputation_standing, reputation_prior, reputation_share,"
        " reputation_lowest, reputation_bucket, reputation_left, reputation_lower, reputation_mean, reputation_faded"
    )
    op.drop_table("reputation_feedback")
    op.drop_table("reputation_scores")
    op.drop_table("reputation_events")
    op.drop_table("reputation_agents")
    op.drop_table("reputation_clients")
    op.drop_table("reputation_priors")
    op.drop_table("reputation_powers")
    op.drop_table("reputation_given")
