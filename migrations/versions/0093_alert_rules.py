"""Alert rules, and where each stands.

Revision ID: 0093_alert_rules
Revises: 0092_alert_life
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.scripts import run

revision: str = "0093_alert_rules"
down_revision: str | None = "0092_alert_life"
branch_labels: str | None = None
depends_on: str | None = None


def _text(*names: str, nullable: bool = False) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text(), nullable=nullable) for name in names]


def _times(*names: str) -> list[sa.Column[object]]:
    return [sa.Column(name, sa.DateTime(timezone=True), nullable=True) for name in names]


def upgrade() -> None:
    op.create_table(
        "alert_rules",
        *_text("id", "name", "severity", "created_by", "command_id"),
        *_text("org_id", "description", "metric", "asset", nullable=True),
        sa.Column("filters", postgresql.JSONB(), nullable=False),
        sa.Column("condition", postgresql.JSONB(), nullable=True),
        sa.Column("window_seconds", sa.BigInteger(), nullable=False),
        sa.Column("cool_down_seconds", sa.BigInteger(), nullable=False),
        sa.Column("channels", postgresql.ARRAY(sa.Text()), nullable=True),
        sa.Column("enabled", sa.Boolean(), server_default=sa.true(), nullable=False),
        *_times("due_at", "ended_at"),
        *(
            sa.Column(name, sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False)
            for name in ("created_at", "updated_at")
        ),
        sa.CheckConstraint(
            "severity IN ('info', 'warning', 'critical')", name=op.f("ck_alert_rules_severity")
        ),
        sa.CheckConstraint(
            "(metric IS NULL) = (condition IS NULL) AND window_seconds > 0 AND cool_down_seconds >= 0",
            name=op.f("ck_alert_rules_terms"),
        ),
        sa.CheckConstraint("cardinality(channels) > 0", name=op.f("ck_alert_rules_channels")),
        sa.ForeignKeyConstraint(["org_id"], ["organizations.id"], name=op.f("fk_alert_rules_org_id_organizations")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alert_rules")),
        sa.UniqueConstraint("command_id", name=op.f("uq_alert_rules_command_id")),
    )
    op.create_index(
        "uq_alert_rules_name",
        "alert_rules",
        ["org_id", "name"],
        unique=True,
        postgresql_where=sa.text("ended_at IS NULL"),
        postgresql_nulls_not_distinct=True,
    )
    op.create_index(
        "ix_alert_rules_due_at", "alert_rules", ["due_at"], postgresql_where=sa.text("due_at IS NOT NULL")
    )
    op.create_table(
        "alert_rule_standings",
        *_text("rule", "subject", "place", "phase"),
        *_text("org_id", "alert_key", nullable=True),
        *_times("good_since", "fired_at"),
        sa.CheckConstraint(
            "phase IN ('unseen', 'armed', 'firing')", name=op.f("ck_alert_rule_standings_phase")
        ),
        sa.ForeignKeyConstraint(
            ["org_id"], ["organizations.id"], name=op.f("fk_alert_rule_standings_org_id_organizations")
        ),
        sa.PrimaryKeyConstraint("rule", "subject", "place", name=op.f("pk_alert_rule_standings")),
    )
    op.create_index(
        "ix_alert_rule_standings_firing",
        "alert_rule_standings",
        ["rule"],
        postgresql_where=sa.text("phase = 'firing'"),
    )
    run("repositories/sql/alert_rules.sql")


def downgrade() -> None:
    op.drop_table("alert_rule_standings")
    op.drop_table("alert_rules")
