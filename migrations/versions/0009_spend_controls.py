"""Spend controls, their versions, departments, and for what agents and keys spend.

Revision ID: 0009_spend_controls
Revises: 0008_deployments
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.scripts import run

revision: str = "0009_spend_controls"
down_revision: str | None = "0008_deployments"
branch_labels: str | None = None
depends_on: str | None = None

_SPENDERS = ("agents", "api_keys")


def upgrade() -> None:
    op.create_table(
        "departments",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("org_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("parent_id", sa.Text(), nullable=True),
        sa.Column("path", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("command_id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "cardinality(path) BETWEEN 1 AND 6 AND path[cardinality(path)] = id", name=op.f("ck_departments_path")
        ),
        sa.CheckConstraint("(parent_id IS NULL) = (cardinality(path) = 1)", name=op.f("ck_departments_parent")),
        sa.ForeignKeyConstraint(["org_id"], ["organizations.id"], name=op.f("fk_departments_org_id_organizations")),
        sa.ForeignKeyConstraint(["parent_id"], ["departments.id"], name=op.f("fk_departments_parent_id_departments")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_departments")),
        sa.UniqueConstraint("command_id", name=op.f("uq_departments_command_id")),
    )
    op.create_index("ix_departments_org_id_id", "departments", ["org_id", "id"], unique=False)
    op.create_index(
        "uq_departments_name",
        "departments",
        ["org_id", sa.literal_column("lower(name)")],
        unique=True,
        postgresql_where=sa.text("closed_at IS NULL"),
    )
    for table in _SPENDERS:
        for column, to in (("department_id", "departments"), ("project_id", "projects")):
            op.add_column(table, sa.Column(column, sa.Text(), nullable=True))
            op.create_foreign_key(op.f(f"fk_{table}_{column}_{to}"), table, to, [column], ["id"])
        op.create_index(
            f"ix_{table}_department_id",
            table,
            ["department_id"],
            unique=False,
            postgresql_where=sa.text("department_id IS NOT NULL"),
        )
    op.create_check_constraint(
        op.f("ck_api_keys_spends"), "api_keys", "org_id IS NOT NULL OR (department_id IS NULL AND project_id IS NULL)"
    )
    _create_controls()
    run("repositories/sql/departments.sql")
    run("ledger/sql/calendar.sql")
    run("ledger/sql/controls.sql")


def _versioned() -> list[sa.Column[object]]:
    return [
        sa.Column("parent_id", sa.Uuid(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("windows", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("amounts", postgresql.ARRAY(sa.BigInteger()), nullable=False),
        sa.Column("uses", postgresql.ARRAY(sa.BigInteger()), nullable=False),
        sa.Column("hard", postgresql.ARRAY(sa.Boolean()), nullable=False),
        sa.Column("per_spend", sa.BigInteger(), nullable=True),
        sa.Column("thresholds_e4", postgresql.ARRAY(sa.Integer()), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=True),
    ]


def _create_controls() -> None:
    op.create_table(
        "controls",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("org_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject_kind", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.Text(), nullable=False),
        sa.Column("path", postgresql.ARRAY(sa.Uuid()), nullable=False),
        sa.Column("asset", sa.Text(), nullable=False),
        sa.Column("zone", sa.Text(), nullable=False),
        sa.Column("week_starts", sa.SmallInteger(), nullable=False),
        *_versioned(),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("kind IN ('limit', 'budget', 'mandate')", name=op.f("ck_controls_kind")),
        sa.CheckConstraint(
            "subject_kind IN ('organization', 'department', 'project', 'agent', 'run', 'key')"
            " AND (subject_kind <> 'organization' OR subject_id = org_id)",
            name=op.f("ck_controls_subject"),
        ),
        sa.CheckConstraint(
            "cardinality(path) BETWEEN 1 AND 6 AND path[cardinality(path)] = id", name=op.f("ck_controls_path")
        ),
        sa.CheckConstraint("week_starts BETWEEN 1 AND 7", name=op.f("ck_controls_week_starts")),
        sa.CheckConstraint("status IN ('active', 'frozen', 'closed')", name=op.f("ck_controls_status")),
        sa.CheckConstraint(
            "cardinality(amounts) = cardinality(windows) AND cardinality(uses) = cardinality(windows)"
            " AND cardinality(hard) = cardinality(windows)",
            name=op.f("ck_controls_arrays"),
        ),
        sa.CheckConstraint(
            "windows <@ ARRAY['hour', 'day', 'week', 'month', 'quarter', 'lifetime'] AND cardinality(windows) <= 6",
            name=op.f("ck_controls_windows"),
        ),
        sa.CheckConstraint(
            "0 <= ALL (amounts) AND 0 <= ALL (uses) AND per_spend >= 0 AND 0 < ALL (thresholds_e4)",
            name=op.f("ck_controls_limits"),
        ),
        sa.CheckConstraint("starts_at < ends_at", name=op.f("ck_controls_term")),
        sa.ForeignKeyConstraint(["parent_id"], ["ledger.controls.id"], name=op.f("fk_controls_parent_id_controls")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_controls")),
        schema="ledger",
    )
    op.create_index("ix_controls_org_id_id", "controls", ["org_id", "id"], unique=False, schema="ledger")
    op.create_index(
        "uq_controls_subject",
        "controls",
        ["org_id", "kind", "subject_kind", "subject_id", "asset"],
        unique=True,
        schema="ledger",
        postgresql_where=sa.text("status <> 'closed'"),
    )
    op.create_table(
        "control_versions",
        sa.Column("control_id", sa.Uuid(), nullable=False),
        sa.Column("org_id", sa.Text(), nullable=False),
        *_versioned(),
        sa.Column("changed_by", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("command_id", sa.Text(), nullable=False),
        sa.Column("request_hash", sa.LargeBinary(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["control_id"], ["ledger.controls.id"], name=op.f("fk_control_versions_control_id_controls")
        ),
        sa.PrimaryKeyConstraint("control_id", "version", name=op.f("pk_control_versions")),
        sa.UniqueConstraint("command_id", name=op.f("uq_control_versions_command_id")),
        schema="ledger",
    )


def downgrade() -> None:
    op.execute("DROP FUNCTION ledger.controls_of, ledger.write_control")
    op.drop_table("control_versions", schema="ledger")
    op.drop_table("controls", schema="ledger")
    for name in ("window_end", "window_start", "window_local", "first_moment"):
        op.execute(f"DROP FUNCTION ledger.{name}")
    op.execute("DROP FUNCTION api_key_attribution")
    op.execute("DROP FUNCTION agent_attribution_changed CASCADE")
    op.execute("DROP TRIGGER api_key_attribution_changed ON api_keys")
    op.drop_constraint(op.f("ck_api_keys_spends"), "api_keys")
    for table in _SPENDERS:
        for column in ("department_id", "project_id"):
            op.drop_column(table, column)
    op.drop_table("departments")
