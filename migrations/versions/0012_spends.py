"""Spends, their counters, changes and refusals, and the functions that charge.

Revision ID: 0012_spends
Revises: 0011_usage_events
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.scripts import run

revision: str = "0012_spends"
down_revision: str | None = "0011_usage_events"
branch_labels: str | None = None
depends_on: str | None = None

_ZERO = sa.text("0")
_V7 = sa.text("uuidv7()")

#: What the functions answer and hand to each other, in the order in which they are made.
_TYPES = {
    "spend_answer": """
        status text, spend_id uuid, amount bigint, available bigint, at timestamptz, expires_at timestamptz,
        reason text, control_id uuid, subject_kind text, subject_id text, asset text, "window" text,
        limit_amount bigint, remaining bigint, resets_at timestamptz, replayed boolean
    """,
    "change_answer": """
        status text, spend_id uuid, amount bigint, captured bigint, released bigint, refunded bigint, held bigint,
        available bigint, transfer_id uuid, at timestamptz, expires_at timestamptz, replayed boolean
    """,
    "limit_window": """
        control_id uuid, subject_kind text, subject_id text, asset text, "window" text, amount bigint, uses bigint,
        counter_id bigint, starts_at timestamptz, ends_at timestamptz, counts bigint, room bigint, uses_room bigint,
        per_spend bigint, reason text
    """,
    "spend_item": """
        ord bigint, key text, full_key text, request_hash bytea, action text, quantity bigint, amount bigint,
        agent_id text, department_id text, project_id text, run_id text, key_id text, principal text, metadata jsonb
    """,
    "spender_window": "spender text, amount bigint, number bigint, of_window ledger.limit_window",
}


def upgrade() -> None:
    _create_counters()
    _create_spends()
    _create_refusals()
    op.create_table(
        "rates",
        sa.Column("base", sa.Text(), nullable=False),
        sa.Column("quote", sa.Text(), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("base_minor", sa.BigInteger(), nullable=False),
        sa.Column("quote_minor", sa.BigInteger(), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "base_minor > 0 AND quote_minor >= 0 AND ends_at > starts_at", name=op.f("ck_rates_rate")
        ),
        sa.PrimaryKeyConstraint("base", "quote", "starts_at", name=op.f("pk_rates")),
        schema="ledger",
    )
    for name, attributes in _TYPES.items():
        op.execute(f"CREATE TYPE ledger.{name} AS ({attributes})")
    for name in ("holds", "access", "spend", "spend_changes", "spend_batch", "spend_tenants"):
        run(f"ledger/sql/{name}.sql")


def _create_counters() -> None:
    op.create_table(
        "counters",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("org_id", sa.Text(), nullable=False),
        sa.Column("control_id", sa.Uuid(), nullable=False),
        sa.Column("window", sa.Text(), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=True),
        sa.Column("uses", sa.BigInteger(), nullable=True),
        sa.Column("held", sa.BigInteger(), server_default=_ZERO, nullable=False),
        sa.Column("spent", sa.BigInteger(), server_default=_ZERO, nullable=False),
        sa.Column("refunded", sa.BigInteger(), server_default=_ZERO, nullable=False),
        sa.Column("forced", sa.BigInteger(), server_default=_ZERO, nullable=False),
        sa.Column("uses_spent", sa.BigInteger(), server_default=_ZERO, nullable=False),
        sa.CheckConstraint(
            "held >= 0 AND uses_spent >= 0 AND refunded BETWEEN 0 AND spent + forced", name=op.f("ck_counters_counted")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_counters")),
        sa.UniqueConstraint("control_id", "window", "starts_at", name=op.f("uq_counters_control_id_window_starts_at")),
        schema="ledger",
        postgresql_with={"fillfactor": "50"},
    )


def _spender() -> list[sa.Column[str]]:
    names = ("agent_id", "department_id", "project_id", "run_id", "key_id", "principal")
    return [*(sa.Column(name, sa.Text(), nullable=True) for name in names), sa.Column("action", sa.Text(), nullable=False)]


def _create_spends() -> None:
    op.create_table(
        "spends",
        sa.Column("org_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("idempotency_key", sa.Text(), nullable=False),
        sa.Column("request_hash", sa.LargeBinary(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        *_spender(),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.Column("asset", sa.Text(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("available", sa.BigInteger(), nullable=False),
        sa.Column("hold_id", sa.Uuid(), nullable=True),
        sa.Column("transfer_id", sa.Uuid(), nullable=True),
        sa.Column("captured", sa.BigInteger(), server_default=_ZERO, nullable=False),
        sa.Column("released", sa.BigInteger(), server_default=_ZERO, nullable=False),
        sa.Column("refunded", sa.BigInteger(), server_default=_ZERO, nullable=False),
        sa.Column("forced", sa.BigInteger(), server_default=_ZERO, nullable=False),
        sa.Column("counted_in", postgresql.ARRAY(sa.BigInteger()), nullable=False),
        sa.Column("counted", postgresql.ARRAY(sa.BigInteger()), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "recorded_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("held_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("metadata", postgresql.JSONB(), nullable=True),
        sa.CheckConstraint(
            "status IN ('charged', 'reserved', 'captured', 'released', 'expired', 'refunded')"
            " AND captured BETWEEN 0 AND amount AND refunded BETWEEN 0 AND captured"
            " AND released BETWEEN 0 AND amount - captured"
            " AND (status = 'reserved' OR captured + released = amount)"
            " AND (status <> 'reserved' OR released = 0 AND hold_id IS NOT NULL)"
            " AND (expires_at IS NULL) = (hold_id IS NULL)",
            name=op.f("ck_spends_status"),
        ),
        sa.PrimaryKeyConstraint("org_id", "id", name=op.f("pk_spends")),
        sa.UniqueConstraint("idempotency_key", name=op.f("uq_spends_idempotency_key")),
        schema="ledger",
        postgresql_with={"fillfactor": "80"},
    )
    op.create_index(
        "ix_spends_hold_id",
        "spends",
        ["hold_id"],
        unique=False,
        schema="ledger",
        postgresql_where=sa.text("status = 'reserved'"),
    )
    op.create_table(
        "spend_changes",
        sa.Column("id", sa.Uuid(), server_default=_V7, nullable=False),
        sa.Column("org_id", sa.Text(), nullable=False),
        sa.Column("spend_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("idempotency_key", sa.Text(), nullable=False),
        sa.Column("request_hash", sa.LargeBinary(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("transfer_id", sa.Uuid(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("captured", sa.BigInteger(), nullable=False),
        sa.Column("released", sa.BigInteger(), nullable=False),
        sa.Column("refunded", sa.BigInteger(), nullable=False),
        sa.Column("held", sa.BigInteger(), nullable=False),
        sa.Column("available", sa.BigInteger(), nullable=False),
        sa.Column("held_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("kind IN ('capture', 'release', 'extend', 'refund')", name=op.f("ck_spend_changes_kind")),
        sa.CheckConstraint(
            "(transfer_id IS NOT NULL) = (kind IN ('capture', 'refund'))", name=op.f("ck_spend_changes_transfer")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_spend_changes")),
        sa.UniqueConstraint("idempotency_key", name=op.f("uq_spend_changes_idempotency_key")),
        schema="ledger",
    )
    op.create_index("ix_spend_changes_spend_id", "spend_changes", ["spend_id", "id"], unique=False, schema="ledger")


def _create_refusals() -> None:
    op.create_table(
        "refusals",
        sa.Column("id", sa.Uuid(), server_default=_V7, nullable=False),
        sa.Column("org_id", sa.Text(), nullable=False),
        sa.Column("idempotency_key", sa.Text(), nullable=False),
        sa.Column("request_hash", sa.LargeBinary(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("control_id", sa.Uuid(), nullable=True),
        sa.Column("subject_kind", sa.Text(), nullable=True),
        sa.Column("subject_id", sa.Text(), nullable=True),
        sa.Column("asset", sa.Text(), nullable=True),
        sa.Column("window", sa.Text(), nullable=True),
        sa.Column("window_starts_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("limit_amount", sa.BigInteger(), nullable=True),
        sa.Column("remaining", sa.BigInteger(), nullable=True),
        sa.Column("resets_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("available", sa.BigInteger(), nullable=False),
        *_spender(),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_refusals")),
        sa.UniqueConstraint("idempotency_key", name=op.f("uq_refusals_idempotency_key")),
        schema="ledger",
    )
    op.create_index("ix_refusals_org_id", "refusals", ["org_id", "control_id", "id"], unique=False, schema="ledger")
    op.create_table(
        "refusal_counts",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("org_id", sa.Text(), nullable=False),
        sa.Column("control_id", sa.Uuid(), nullable=True),
        sa.Column("window", sa.Text(), nullable=True),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_refusal_counts")),
        sa.UniqueConstraint(
            "org_id",
            "control_id",
            "window",
            "starts_at",
            "reason",
            name=op.f("uq_refusal_counts_org_id_control_id_window_starts_at_reason"),
            postgresql_nulls_not_distinct=True,
        ),
        schema="ledger",
        postgresql_with={"fillfactor": "50"},
    )


def downgrade() -> None:
    op.execute("DROP FUNCTION ledger.set_rate")
    for table in ("rates", "refusal_counts", "refusals", "spend_changes", "spends", "counters"):
        op.execute(f"DROP TABLE ledger.{table} CASCADE")
    for name in reversed(_TYPES):
        op.execute(f"DROP TYPE ledger.{name} CASCADE")
