"""Sessions, and links that open them; audit entries name both.

Revision ID: 0103_sessions
Revises: 0104_party_names
"""

import sqlalchemy as sa
from alembic import op

from migrations.scripts import run

revision: str = "0103_sessions"
down_revision: str | None = "0104_party_names"
branch_labels: str | None = None
depends_on: str | None = None

_PLATFORM = "('operator', 'arbiter', 'validator', 'accountant')"
_OPEN = sa.text("ended_at IS NULL")


def upgrade() -> None:
    for column in ("session_id", "made_by"):
        op.add_column("audit_log", sa.Column(column, sa.Text(), nullable=True))
    op.create_table(
        "session_links",
        *_whose(org_nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("return_url", sa.Text(), nullable=True),
        sa.Column("made_by", sa.Text(), nullable=False),
        *(_time(name, now=name == "created_at") for name in ("created_at", "expires_at")),
        _time("used_at", nullable=True),
        *_ended(),
        sa.CheckConstraint(f"role NOT IN {_PLATFORM}", name=op.f("ck_session_links_tenant_roles")),
        *_constraints("session_links"),
    )
    op.create_table(
        "sessions",
        *_whose(org_nullable=True),
        sa.Column("link_id", sa.Text(), nullable=True),
        sa.Column("made_by", sa.Text(), nullable=True),
        sa.Column("browser", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=True),
        sa.Column("idle_seconds", sa.Integer(), nullable=False),
        *(_time(name, now=name != "expires_at") for name in ("created_at", "last_used_at", "expires_at")),
        *_ended(),
        sa.CheckConstraint(f"(org_id IS NULL) = (role IN {_PLATFORM})", name=op.f("ck_sessions_platform_roles")),
        sa.CheckConstraint("(link_id IS NULL) = (made_by IS NULL)", name=op.f("ck_sessions_made_by")),
        sa.CheckConstraint("link_id IS NULL OR org_id IS NOT NULL", name=op.f("ck_sessions_links")),
        sa.ForeignKeyConstraint(["link_id"], ["session_links.id"], name=op.f("fk_sessions_link_id_session_links")),
        sa.UniqueConstraint("link_id", name=op.f("uq_sessions_link_id")),
        *_constraints("sessions"),
    )
    for table in ("session_links", "sessions"):
        op.create_index(f"ix_{table}_org_id", table, ["org_id", "id"])
        op.create_index(f"ix_{table}_key_id", table, ["key_id"], postgresql_where=_OPEN)
        op.create_index(f"ix_{table}_expires_at", table, ["expires_at"])
    op.create_index(
        "ix_sessions_principal", "sessions", ["org_id", sa.text("lower(principal)")], postgresql_where=_OPEN
    )
    run("repositories/sql/sessions.sql")


def _whose(*, org_nullable: bool) -> list[sa.Column[object]]:
    return [
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("secret_hash", sa.LargeBinary(), nullable=False),
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("org_id", sa.Text(), nullable=org_nullable),
        sa.Column("principal", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("agent_id", sa.Text(), nullable=True),
    ]


def _time(name: str, *, now: bool = False, nullable: bool = False) -> sa.Column[object]:
    default = sa.text("now()") if now else None
    return sa.Column(name, sa.DateTime(timezone=True), server_default=default, nullable=nullable)


def _ended() -> list[sa.Column[object]]:
    return [_time("ended_at", nullable=True), sa.Column("ended_by", sa.Text(), nullable=True)]


def _constraints(table: str) -> list[sa.Constraint]:
    return [
        sa.CheckConstraint("(agent_id IS NOT NULL) = (role = 'agent')", name=op.f(f"ck_{table}_agent_role")),
        sa.CheckConstraint("(ended_at IS NULL) = (ended_by IS NULL)", name=op.f(f"ck_{table}_ended")),
        sa.ForeignKeyConstraint(["key_id"], ["api_keys.id"], name=op.f(f"fk_{table}_key_id_api_keys")),
        sa.ForeignKeyConstraint(["org_id"], ["organizations.id"], name=op.f(f"fk_{table}_org_id_organizations")),
        sa.ForeignKeyConstraint(["agent_id"], ["agents.id"], name=op.f(f"fk_{table}_agent_id_agents")),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{table}")),
    ]


def downgrade() -> None:
    op.execute("DROP TRIGGER api_key_ends_sessions ON api_keys")
    op.execute("DROP FUNCTION session_lookup(text), api_key_ends_sessions()")
    op.drop_table("sessions")
    op.drop_table("session_links")
    op.execute("DROP FUNCTION session_changed(), session_stays_ended()")
    for column in ("session_id", "made_by"):
        op.drop_column("audit_log", column)
