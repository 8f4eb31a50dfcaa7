"""Tenants: organizations, keys, agents, contracts, grants, idempotency, audit trail, alerts.

Revision ID: 0002_tenants
Revises: 0001_ledger
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.scripts import run

revision = "0002_tenants"
down_revision = "0001_ledger"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "organizations",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("command_id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_organizations")),
        sa.UniqueConstraint("command_id", name=op.f("uq_organizations_command_id")),
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
    op.create_table(
        "api_keys",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("org_id", sa.Text(), nullable=True),
        sa.Column("principal", sa.Text(), nullable=False),
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
    op.create_index("ix_api_keys_org_id", "api_keys", ["org_id", "id"], unique=False)
    op.create_index(
        "uq_api_keys_platform_principal",
        "api_keys",
        ["principal"],
        unique=True,
        postgresql_where=sa.text("revoked_at IS NULL AND org_id IS NULL"),
    )
    op.create_index(
        "uq_api_keys_principal",
        "api_keys",
        ["org_id", "principal"],
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
        sa.Column("fund_seconds", sa.BigInteger(), nullable=False),
        sa.Column("deliver_seconds", sa.BigInteger(), nullable=False),
        sa.Column("review_seconds", sa.BigInteger(), nullable=False),
        sa.Column("evidence_seconds", sa.BigInteger(), nullable=False),
        sa.Column("decision_seconds", sa.BigInteger(), nullable=False),
        sa.Column("grace_seconds", sa.BigInteger(), nullable=False),
        sa.Column("dispute_default_share_e4", sa.Integer(), nullable=False),
        sa.Column("commission_bps", sa.Integer(), nullable=False),
        sa.Column("milestones", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("command_id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
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
    op.create_index("ix_contracts_org_id", "contracts", ["org_id", "id"], unique=False)
    op.create_index("ix_contracts_payee_org_id", "contracts", ["payee_org_id", "id"], unique=False)
    op.create_index(
        "ix_contracts_signatory_org_ids", "contracts", ["signatory_org_ids"], unique=False, postgresql_using="gin"
    )
    op.create_table(
        "credit_lots",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("org_id", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
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
        sa.Column("details", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_log")),
    )
    op.create_index("ix_audit_log_actor_org_id", "audit_log", ["actor_org_id", "id"], unique=False)
    op.create_index("ix_audit_log_org_id", "audit_log", ["org_id", "id"], unique=False)
    op.create_table(
        "alerts",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("org_id", sa.Text(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("acknowledged_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("acknowledged_by", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alerts")),
        sa.UniqueConstraint("key", name=op.f("uq_alerts_key")),
    )
    op.create_index(
        "ix_alerts_open", "alerts", ["id"], unique=False, postgresql_where=sa.text("acknowledged_at IS NULL")
    )
    run("repositories/sql/tenants.sql")
    run("repositories/sql/api_keys.sql")
    run("repositories/sql/idempotency.sql")
    run("repositories/sql/balance.sql")


def downgrade() -> None:
    op.execute("DROP FUNCTION IF EXISTS balance_view(text, text)")
    for table in (
        "alerts",
        "audit_log",
        "idempotency_keys",
        "credit_lots",
        "contracts",
        "api_keys",
        "agents",
        "organizations",
    ):
        op.drop_table(table)
    op.execute(
        "DROP FUNCTION IF EXISTS idempotency_claim(text, text, bytea, text, interval), "
        "idempotency_renew(text, text, text, interval), "
        "idempotency_finish(text, text, text, integer, text, bytea), idempotency_free(text, text, text, boolean), "
        "idempotency_scope(text), api_key_lookup(text), api_key_changed(), api_key_stays_revoked(), refuse_change()"
    )
