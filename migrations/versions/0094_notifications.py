"""Notifications: channels, preferences, what each principal was told, and the place in the outbox.

Revision ID: 0094_notifications
Revises: 0093_alert_rules
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.scripts import run

revision: str = "0094_notifications"
down_revision: str | None = "0093_alert_rules"
branch_labels: str | None = None
depends_on: str | None = None

_NOW = sa.text("now()")


def _text(*names: str, nullable: bool = False) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text(), nullable=nullable) for name in names]


def _times(*names: str, nullable: bool = False) -> list[sa.Column[object]]:
    return [sa.Column(name, sa.DateTime(timezone=True), nullable=nullable) for name in names]


def _principal(table: str) -> list[sa.schema.SchemaItem]:
    return [
        *_text("org_id", nullable=True),
        *_text("principal", "recipient"),
        sa.ForeignKeyConstraint(["org_id"], ["organizations.id"], name=f"fk_{table}_org_id_organizations"),
    ]


def upgrade() -> None:
    channels, table = "notification_channels", "notifications"
    op.create_table(
        channels,
        *_text("id"),
        *_principal(channels),
        *_text("command_id", "kind", "status", "shown", "target_digest"),
        *_text("address", "hook", "code", nullable=True),
        *_times("code_sent_at", "verified_at", nullable=True),
        sa.Column("code_tries", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column(
            "codes_sent_at",
            postgresql.ARRAY(sa.DateTime(timezone=True)),
            server_default=sa.text("'{}'"),
            nullable=False,
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=_NOW, nullable=False),
        sa.CheckConstraint("kind IN ('mail', 'slack')", name="ck_notification_channels_kind"),
        sa.CheckConstraint("status IN ('pending', 'verified', 'deleted')", name="ck_notification_channels_status"),
        sa.CheckConstraint(
            "status = 'deleted' AND num_nonnulls(address, hook, code) = 0 "
            "OR status <> 'deleted' AND (address IS NOT NULL) = (kind = 'mail') "
            "AND (hook IS NOT NULL) = (kind = 'slack')",
            name="ck_notification_channels_target",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_notification_channels"),
        sa.UniqueConstraint("command_id", name="uq_notification_channels_command_id"),
    )
    op.create_index("ix_notification_channels_recipient_id", channels, ["recipient", "id"])
    op.create_index("ix_notification_channels_target", channels, ["target_digest"])
    op.create_index(
        "uq_notification_channels_target",
        channels,
        ["recipient", "target_digest"],
        unique=True,
        postgresql_where=sa.text("status <> 'deleted'"),
    )
    op.create_table(
        "notification_preferences",
        *_principal("notification_preferences"),
        sa.Column("settings", postgresql.JSONB(), nullable=False),
        *_times("updated_at"),
        sa.PrimaryKeyConstraint("recipient", name="pk_notification_preferences"),
    )
    op.create_table(
        table,
        *_text("id", "source"),
        *_principal(table),
        *_text("channel", "kind", "fact", "subject", "status"),
        *_text("digest", "problem", nullable=True),
        sa.Column("data", postgresql.JSONB(), nullable=False),
        *_times("due_at", "created_at"),
        sa.Column("attempts", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        *_times("sent_at", "read_at", "hidden_at", nullable=True),
        sa.CheckConstraint(
            "status IN ('queued', 'waiting', 'digested', 'sent', 'failed', 'dropped')", name="ck_notifications_status"
        ),
        sa.CheckConstraint(
            "(status IN ('waiting', 'digested')) = (digest IS NOT NULL)", name="ck_notifications_digest"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_notifications"),
        sa.UniqueConstraint("source", "recipient", "channel", name="uq_notifications_source"),
    )
    op.create_index("ix_notifications_recipient_id", table, ["recipient", "id"])
    op.create_index("ix_notifications_due", table, ["due_at", "id"], postgresql_where=sa.text("status = 'queued'"))
    op.create_index(
        "ix_notifications_waiting",
        table,
        ["due_at", "recipient", "digest"],
        postgresql_where=sa.text("status = 'waiting'"),
    )
    op.create_index(
        "ix_notifications_unread",
        table,
        ["recipient", "id"],
        postgresql_where=sa.text("channel = 'inbox' AND hidden_at IS NULL AND read_at IS NULL"),
    )
    op.create_table(
        "notification_cursors",
        *_text("name", "read_id"),
        sa.Column("read_in", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_notification_cursors"),
    )
    # What happened before there were notifications is not told.
    op.execute("""
        INSERT INTO notification_cursors (name, read_in, read_id)
        SELECT 'outbox', coalesce(max(written_in), 0), coalesce(max(id), '')
        FROM (SELECT written_in, id FROM events ORDER BY written_in DESC, id DESC LIMIT 1) last
    """)
    run("repositories/sql/notifications.sql")


def downgrade() -> None:
    op.execute("DROP TRIGGER forget_recipient ON api_keys")
    op.execute("DROP FUNCTION forget_recipient()")
    for table in ("notification_cursors", "notifications", "notification_preferences", "notification_channels"):
        op.drop_table(table)
    op.execute("DROP FUNCTION bursar_principal()")
