"""Webhooks out: endpoints, their timeline, and the deliveries to them.

Revision ID: 0088_webhook_endpoints
Revises: 0087_event_facts
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.scripts import run

revision: str = "0088_webhook_endpoints"
down_revision: str | None = "0087_event_facts"
branch_labels: str | None = None
depends_on: str | None = None


def _text(*names: str, nullable: bool = False) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text(), nullable=nullable) for name in names]


def _numbers(*names: str, nullable: bool = False) -> list[sa.Column[int]]:
    return [sa.Column(name, sa.BigInteger(), nullable=nullable) for name in names]


def _times(*names: str, nullable: bool = False) -> list[sa.Column[object]]:
    return [sa.Column(name, sa.DateTime(timezone=True), nullable=nullable) for name in names]


def upgrade() -> None:
    op.create_table(
        "webhook_endpoints",
        *_text("id", "org_id", "command_id", "url", "ordering", "status", "read_id", "created_by"),
        *_text("description", "public_key", "lease", nullable=True),
        *_text("secret", "private_key", "previous_secret", "previous_private_key", nullable=True),
        sa.Column("types", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("state", postgresql.JSONB(), nullable=False),
        sa.Column("idle", sa.Boolean(), nullable=False),
        *_numbers("version", "read_in", "slowed"),
        *_times("created_at", "updated_at"),
        *_times("previous_until", "seen_at", "wakes_at", "slow_until", "failing_since", "delivered_at", nullable=True),
        sa.ForeignKeyConstraint(["org_id"], ["organizations.id"], name="fk_webhook_endpoints_org_id_organizations"),
        sa.PrimaryKeyConstraint("id", name="pk_webhook_endpoints"),
        sa.UniqueConstraint("command_id", name="uq_webhook_endpoints_command_id"),
    )
    op.create_index("ix_webhook_endpoints_org_id_id", "webhook_endpoints", ["org_id", "id"])
    op.create_table(
        "webhook_endpoint_events",
        *_text("endpoint_id", "kind", "status", "actor", "command_id"),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("details", postgresql.JSONB(), nullable=False),
        *_times("at", "recorded_at"),
        sa.ForeignKeyConstraint(
            ["endpoint_id"], ["webhook_endpoints.id"], name="fk_webhook_endpoint_events_endpoint_id_webhook_endpoints"
        ),
        sa.PrimaryKeyConstraint("endpoint_id", "number", name="pk_webhook_endpoint_events"),
    )
    op.create_index(
        "uq_webhook_endpoint_events_command_id", "webhook_endpoint_events", ["endpoint_id", "command_id"], unique=True
    )
    op.create_table(
        "webhook_deliveries",
        *_text("id", "endpoint_id", "org_id", "event_id", "type", "subject", "status"),
        *_text("error", "answer", nullable=True),
        *_numbers("subject_seq", "tries", "replays"),
        *_numbers("status_code", nullable=True),
        *_times("created_at"),
        *_times("next_at", "tried_at", "delivered_at", nullable=True),
        sa.ForeignKeyConstraint(
            ["endpoint_id"], ["webhook_endpoints.id"], name="fk_webhook_deliveries_endpoint_id_webhook_endpoints"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_webhook_deliveries"),
    )
    index = "webhook_deliveries"
    op.create_index("uq_webhook_deliveries_event", index, ["endpoint_id", "event_id"], unique=True)
    op.create_index("ix_webhook_deliveries_endpoint_id_id", index, ["endpoint_id", "id"])
    op.create_index(
        "ix_webhook_deliveries_pending",
        index,
        ["endpoint_id", "subject", "subject_seq"],
        postgresql_where=sa.text("status = 'pending'"),
    )
    op.create_index(
        "ix_webhook_deliveries_answered", index, ["tried_at"], postgresql_where=sa.text("answer IS NOT NULL")
    )
    run("repositories/sql/webhook_endpoints.sql")


def downgrade() -> None:
    op.drop_table("webhook_deliveries")
    op.drop_table("webhook_endpoint_events")
    op.drop_table("webhook_endpoints")
