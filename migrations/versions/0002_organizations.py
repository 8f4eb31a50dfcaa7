"""Organizations, agents, keys, contracts and who signs them, credit lots, idempotency keys, the audit trail and alerts.

Revision ID: 0002_organizations
Revises: 0001_books
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.scripts import run

revision: str = "0002_organizations"
down_revision: str | None = "0001_books"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.create_table(
        "alerts",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("org_id", sa.Text(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("shared", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("acknowledged_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("acknowledged_by", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alerts")),
        sa.UniqueConstraint("key", name=op.f("uq_alerts_key")),
    )
    op.create_index("ix_alerts_kind_id", "alerts", ["kind", "id"], unique=False)
    op.create_index(
        "ix_alerts_open", "alerts", ["id"], unique=False, postgresql_where=sa.text("acknowledged_at IS NULL")
    )
    op.create_index("ix_alerts_org_id_id", "alerts", ["org_id", "id"], unique=False)
    op.create_index(
        "ix_alerts_org_id_open",
        "alerts",
        ["org_id", "id"],
        unique=False,
        postgresql_where=sa.text("acknowledged_at IS NULL"),
    )
    op.create_index("ix_alerts_subject_id", "alerts", ["subject", "id"], unique=False)
    op.create_table(
        "audit_log",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("org_id", sa.Text(), nullable=True),
        sa.Column("principal", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("actor_org_id", sa.Text(), nullable=True),
        sa.Column("key_id", sa.Text(), nullable=True),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=True),
        sa.Column("address", sa.Text(), nullable=True),
        sa.Column("details", postgresql.JSONB(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_log")),
    )
    op.create_index("ix_audit_log_action_id", "audit_log", ["action", "id"], unique=False)
    op.create_index(
        "ix_audit_log_actor_org_id",
        "audit_log",
        ["actor_org_id", "id"],
        unique=False,
        postgresql_where=sa.text("org_id IS DISTINCT FROM actor_org_id"),
    )
    op.create_index(
        "ix_audit_log_actor_org_id_action_id",
        "audit_log",
        ["actor_org_id", "action", "id"],
        unique=False,
        postgresql_where=sa.text("org_id IS DISTINCT FROM actor_org_id"),
    )
    op.create_index(
        "ix_audit_log_actor_org_id_target_id",
        "audit_log",
        ["actor_org_id", "target", "id"],
        unique=False,
        postgresql_where=sa.text("org_id IS DISTINCT FROM actor_org_id"),
    )
    op.create_index("ix_audit_log_org_id", "audit_log", ["org_id", "id"], unique=False)
    op.create_index("ix_audit_log_org_id_action_id", "audit_log", ["org_id", "action", "id"], unique=False)
    op.create_index("ix_audit_log_org_id_target_id", "audit_log", ["org_id", "target", "id"], unique=False)
    op.create_index("ix_audit_log_target_id", "audit_log", ["target", "id"], unique=False)
    op.create_table(
        "idempotency_keys",
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("request_hash", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("locked_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("content_type", sa.Text(), nullable=True),
        sa.Column("body", sa.LargeBinary(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("(state = 'done') = (status IS NOT NULL)", name=op.f("ck_idempotency_keys_answer")),
        sa.CheckConstraint("state IN ('running', 'done')", name=op.f("ck_idempotency_keys_state")),
        sa.PrimaryKeyConstraint("scope", "key", name=op.f("pk_idempotency_keys")),
    )
    op.create_index("ix_idempotency_keys_created_at", "idempotency_keys", ["created_at"], unique=False)
    op.create_table(
        "organizations",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("tier", sa.Text(), server_default="free", nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("command_id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("tier IN ('free', 'premium')", name=op.f("ck_organizations_tier")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_organizations")),
        sa.UniqueConstraint("command_id", name=op.f("uq_organizations_command_id")),
    )
    op.create_table(
        "signatories",
        sa.Column("org_id", sa.Text(), nullable=False),
        sa.Column("principal", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "principal", name=op.f("pk_signatories")),
    )
    op.create_table(
        "agents",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("org_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("visibility", sa.Text(), nullable=False),
        sa.Column("pricing_model", sa.Text(), nullable=False),
        sa.Column("price_minor", sa.BigInteger(), nullable=True),
        sa.Column("price_currency", sa.Text(), nullable=True),
        sa.Column("terms", postgresql.JSONB(), server_default="{}", nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("command_id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "pricing_model IN ('free', 'monthly', 'one_time', 'usage')", name=op.f("ck_agents_pricing_model")
        ),
        sa.CheckConstraint("visibility IN ('public', 'private')", name=op.f("ck_agents_visibility")),
        sa.CheckConstraint("(price_minor IS NULL) = (price_currency IS NULL)", name=op.f("ck_agents_price")),
        sa.ForeignKeyConstraint(["org_id"], ["organizations.id"], name=op.f("fk_agents_org_id_organizations")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_agents")),
        sa.UniqueConstraint("command_id", name=op.f("uq_agents_command_id")),
    )
    op.create_index("ix_agents_org_id", "agents", ["org_id", "id"], unique=False)
    op.create_index(
        "ix_agents_org_id_public",
        "agents",
        ["org_id", "id"],
        unique=False,
        postgresql_where=sa.text("visibility = 'public'"),
    )
    op.create_index(
        "ix_agents_public", "agents", ["id"], unique=False, postgresql_where=sa.text("visibility = 'public'")
    )
    op.create_table(
        "credit_lots",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("org_id", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("payment_id", sa.Text(), nullable=True),
        sa.Column("paid_minor", sa.BigInteger(), nullable=True),
        sa.Column("paid_currency", sa.Text(), nullable=True),
        sa.Column("transfer_id", sa.Uuid(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("command_id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("amount_minor > 0", name=op.f("ck_credit_lots_amount")),
        sa.ForeignKeyConstraint(["org_id"], ["organizations.id"], name=op.f("fk_credit_lots_org_id_organizations")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_credit_lots")),
        sa.UniqueConstraint("command_id", name=op.f("uq_credit_lots_command_id")),
        sa.UniqueConstraint("transfer_id", name=op.f("uq_credit_lots_transfer_id")),
    )
    op.create_index("ix_credit_lots_org_id", "credit_lots", ["org_id", "expires_at"], unique=False)
    op.create_index("ix_credit_lots_org_id_id", "credit_lots", ["org_id", "id"], unique=False)
    op.create_table(
        "api_keys",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("org_id", sa.Text(), nullable=True),
        sa.Column("principal", sa.Text(), nullable=False),
        sa.Column("place", sa.SmallInteger(), server_default=sa.text("1"), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("agent_id", sa.Text(), nullable=True),
        sa.Column("secret_hash", sa.LargeBinary(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("command_id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("(agent_id IS NOT NULL) = (role = 'agent')", name=op.f("ck_api_keys_agent_role")),
        sa.CheckConstraint(
            "(org_id IS NULL) = (role IN ('operator', 'arbiter', 'validator'))", name=op.f("ck_api_keys_platform_roles")
        ),
        sa.ForeignKeyConstraint(["agent_id"], ["agents.id"], name=op.f("fk_api_keys_agent_id_agents")),
        sa.ForeignKeyConstraint(["org_id"], ["organizations.id"], name=op.f("fk_api_keys_org_id_organizations")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_keys")),
        sa.UniqueConstraint("command_id", name=op.f("uq_api_keys_command_id")),
    )
    op.create_index(
        "ix_api_keys_active", "api_keys", ["id"], unique=False, postgresql_where=sa.text("revoked_at IS NULL")
    )
    op.create_index("ix_api_keys_org_id", "api_keys", ["org_id", "id"], unique=False)
    op.create_index(
        "ix_api_keys_org_id_active",
        "api_keys",
        ["org_id", "id"],
        unique=False,
        postgresql_where=sa.text("revoked_at IS NULL"),
    )
    op.create_index(
        "uq_api_keys_platform_principal",
        "api_keys",
        [sa.literal_column("lower(principal)"), "place"],
        unique=True,
        postgresql_where=sa.text("revoked_at IS NULL AND org_id IS NULL"),
    )
    op.create_index(
        "uq_api_keys_principal",
        "api_keys",
        ["org_id", sa.literal_column("lower(principal)"), "place"],
        unique=True,
        postgresql_where=sa.text("revoked_at IS NULL AND org_id IS NOT NULL"),
    )
    op.create_table(
        "contracts",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("org_id", sa.Text(), nullable=False),
        sa.Column("payee_org_id", sa.Text(), nullable=False),
        sa.Column("agent_id", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("price_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("validation_threshold_e4", sa.Integer(), nullable=True),
        sa.Column("signatories", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("signatory_org_ids", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("required_signatures", sa.Integer(), nullable=False),
        sa.Column("operator_approvals", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("fund_seconds", sa.BigInteger(), nullable=False),
        sa.Column("deliver_seconds", sa.BigInteger(), nullable=False),
        sa.Column("review_seconds", sa.BigInteger(), nullable=False),
        sa.Column("evidence_seconds", sa.BigInteger(), nullable=False),
        sa.Column("decision_seconds", sa.BigInteger(), nullable=False),
        sa.Column("grace_seconds", sa.BigInteger(), nullable=False),
        sa.Column("dispute_default_share_e4", sa.Integer(), nullable=False),
        sa.Column("commission_bps", sa.Integer(), nullable=False),
        sa.Column("milestones", postgresql.JSONB(), nullable=False),
        sa.Column("outside_listing", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False),
        sa.Column("accept_by", sa.DateTime(timezone=True), nullable=True),
        sa.Column("accepted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("accepted_by", sa.Text(), nullable=True),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("command_id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "(accept_by IS NULL) = (cardinality(outside_listing) = 0)", name=op.f("ck_contracts_proposed")
        ),
        sa.CheckConstraint("(accepted_at IS NULL) = (accepted_by IS NULL)", name=op.f("ck_contracts_accepted")),
        sa.CheckConstraint(
            "accepted_at IS NULL OR (accept_by IS NOT NULL AND accepted_at < accept_by)",
            name=op.f("ck_contracts_in_time"),
        ),
        sa.CheckConstraint("commission_bps BETWEEN 0 AND 10000", name=op.f("ck_contracts_commission")),
        sa.CheckConstraint("dispute_default_share_e4 BETWEEN 0 AND 10000", name=op.f("ck_contracts_share")),
        sa.CheckConstraint("price_minor > 0", name=op.f("ck_contracts_price")),
        sa.CheckConstraint(
            "required_signatures BETWEEN 1 AND cardinality(signatories)", name=op.f("ck_contracts_signatures")
        ),
        sa.CheckConstraint("validation_threshold_e4 BETWEEN 0 AND 10000", name=op.f("ck_contracts_threshold")),
        sa.ForeignKeyConstraint(["agent_id"], ["agents.id"], name=op.f("fk_contracts_agent_id_agents")),
        sa.ForeignKeyConstraint(["org_id"], ["organizations.id"], name=op.f("fk_contracts_org_id_organizations")),
        sa.ForeignKeyConstraint(
            ["payee_org_id"], ["organizations.id"], name=op.f("fk_contracts_payee_org_id_organizations")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contracts")),
        sa.UniqueConstraint("command_id", name=op.f("uq_contracts_command_id")),
    )
    op.create_index(
        "ix_contracts_accept_by",
        "contracts",
        ["accept_by"],
        unique=False,
        postgresql_where=sa.text("accept_by IS NOT NULL AND accepted_at IS NULL"),
    )
    op.create_index(
        "ix_contracts_accepted",
        "contracts",
        ["id"],
        unique=False,
        postgresql_where=sa.text("accept_by IS NULL OR accepted_at IS NOT NULL"),
    )
    op.create_index(
        "ix_contracts_agent_id_accepted",
        "contracts",
        ["agent_id", "id"],
        unique=False,
        postgresql_where=sa.text("accept_by IS NULL OR accepted_at IS NOT NULL"),
    )
    op.create_index("ix_contracts_agent_id_id", "contracts", ["agent_id", "id"], unique=False)
    op.create_index(
        "ix_contracts_agent_id_not_accepted",
        "contracts",
        ["agent_id", "id"],
        unique=False,
        postgresql_where=sa.text("accept_by IS NOT NULL AND accepted_at IS NULL"),
    )
    op.create_index(
        "ix_contracts_not_accepted",
        "contracts",
        ["id"],
        unique=False,
        postgresql_where=sa.text("accept_by IS NOT NULL AND accepted_at IS NULL"),
    )
    run("repositories/sql/tenants.sql")
    run("repositories/sql/api_keys.sql")
    run("repositories/sql/signatories.sql")
    run("repositories/sql/idempotency.sql")
    run("repositories/sql/balance.sql")
    run("repositories/sql/alerts.sql")


def downgrade() -> None:
    op.execute("DROP FUNCTION balance_view(text, text)")
    for table in (
        "contracts",
        "api_keys",
        "credit_lots",
        "agents",
        "signatories",
        "organizations",
        "idempotency_keys",
        "audit_log",
        "alerts",
    ):
        op.drop_table(table)
    op.execute(
        "DROP FUNCTION idempotency_claim(text, text, bytea, text, interval), idempotency_renew(text, text, text, interval), idempotency_finish(text, text, text, integer, text, bytea), idempotency_free(text, text, text, boolean), idempotency_scope(text), api_key_lookup(text), api_key_changed(), api_key_stays_revoked(), write_signatories(), refuse_change()"
    )
