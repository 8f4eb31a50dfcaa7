"""Rules of prices, quotes, and the contracts that are made with them.

Revision ID: 0031_pricing
Revises: 0030_lean_charges
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.scripts import run

revision: str = "0031_pricing"
down_revision: str | None = "0030_lean_charges"
branch_labels: str | None = None
depends_on: str | None = None

_TYPES = "'surge', 'reputation', 'time_of_day', 'bulk', 'volume', 'tier', 'contract_price', 'custom', 'bounds'"


def upgrade() -> None:
    op.create_table(
        "pricing_book",
        sa.Column("id", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_pricing_book_single")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pricing_book")),
    )
    op.execute("INSERT INTO pricing_book (id, version) VALUES (1, 1)")
    op.create_table(
        "pricing_rules",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("stacking", sa.Text(), nullable=False),
        sa.Column("agent_id", sa.Text(), nullable=True),
        sa.Column("org_id", sa.Text(), nullable=True),
        sa.Column("floor_bps", sa.Integer(), nullable=True),
        sa.Column("ceiling_bps", sa.Integer(), nullable=True),
        sa.Column("valid_from", sa.DateTime(timezone=True), nullable=True),
        sa.Column("valid_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("terms", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("book_version", sa.BigInteger(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("command_id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(f"type IN ({_TYPES})", name=op.f("ck_pricing_rules_type")),
        sa.CheckConstraint("stacking IN ('multiply', 'add', 'exclusive')", name=op.f("ck_pricing_rules_stacking")),
        sa.CheckConstraint("priority BETWEEN 0 AND 10000", name=op.f("ck_pricing_rules_priority")),
        sa.CheckConstraint("floor_bps <= ceiling_bps", name=op.f("ck_pricing_rules_bounds")),
        sa.CheckConstraint("valid_from < valid_until", name=op.f("ck_pricing_rules_validity")),
        sa.ForeignKeyConstraint(["agent_id"], ["agents.id"], name=op.f("fk_pricing_rules_agent_id_agents")),
        sa.ForeignKeyConstraint(["org_id"], ["organizations.id"], name=op.f("fk_pricing_rules_org_id_organizations")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pricing_rules")),
        sa.UniqueConstraint("command_id", name=op.f("uq_pricing_rules_command_id")),
    )
    op.create_index(
        "ix_pricing_rules_in_force", "pricing_rules", ["id"], unique=False, postgresql_where=sa.text("ended_at IS NULL")
    )
    op.create_table(
        "pricing_agents",
        sa.Column("agent_id", sa.Text(), nullable=False),
        sa.Column("org_id", sa.Text(), nullable=False),
        sa.Column("capacity", sa.Integer(), nullable=True),
        sa.Column("bears_discounts", sa.Boolean(), nullable=False),
        sa.Column("updated_by", sa.Text(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("capacity > 0", name=op.f("ck_pricing_agents_capacity")),
        sa.ForeignKeyConstraint(["agent_id"], ["agents.id"], name=op.f("fk_pricing_agents_agent_id_agents")),
        sa.ForeignKeyConstraint(["org_id"], ["organizations.id"], name=op.f("fk_pricing_agents_org_id_organizations")),
        sa.PrimaryKeyConstraint("agent_id", name=op.f("pk_pricing_agents")),
    )
    op.create_table(
        "pricing_quotes",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("org_id", sa.Text(), nullable=False),
        sa.Column("agent_id", sa.Text(), nullable=False),
        sa.Column("payee_org_id", sa.Text(), nullable=False),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("base_minor", sa.BigInteger(), nullable=False),
        sa.Column("price_minor", sa.BigInteger(), nullable=False),
        sa.Column("multiplier_bps", sa.BigInteger(), nullable=False),
        sa.Column("commission_bps", sa.Integer(), nullable=False),
        sa.Column("facts", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("adjustments", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("book_version", sa.BigInteger(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("command_id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("contract_id", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "quantity > 0 AND base_minor > 0 AND price_minor > 0", name=op.f("ck_pricing_quotes_amounts")
        ),
        sa.CheckConstraint("commission_bps BETWEEN 0 AND 10000", name=op.f("ck_pricing_quotes_commission")),
        sa.CheckConstraint("(used_at IS NULL) = (contract_id IS NULL)", name=op.f("ck_pricing_quotes_used")),
        sa.ForeignKeyConstraint(["agent_id"], ["agents.id"], name=op.f("fk_pricing_quotes_agent_id_agents")),
        sa.ForeignKeyConstraint(["org_id"], ["organizations.id"], name=op.f("fk_pricing_quotes_org_id_organizations")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pricing_quotes")),
        sa.UniqueConstraint("command_id", name=op.f("uq_pricing_quotes_command_id")),
        sa.UniqueConstraint("contract_id", name=op.f("uq_pricing_quotes_contract_id")),
    )
    op.create_index("ix_pricing_quotes_created_at", "pricing_quotes", ["created_at"], unique=False)
    op.add_column("contracts", sa.Column("quote_id", sa.Text(), nullable=True))
    op.create_unique_constraint(op.f("uq_contracts_quote_id"), "contracts", ["quote_id"])
    op.create_foreign_key(
        op.f("fk_contracts_quote_id_pricing_quotes"), "contracts", "pricing_quotes", ["quote_id"], ["id"]
    )
    op.create_index(
        "ix_escrows_agent_id_open",
        "escrows",
        ["agent_id", "org_id"],
        unique=False,
        postgresql_where=sa.text("status IN ('funded', 'delivered', 'disputed')"),
    )
    op.create_index(
        "ix_escrows_org_id_paid",
        "escrows",
        ["org_id", "updated_at"],
        unique=False,
        postgresql_where=sa.text("status IN ('released', 'split')"),
    )
    run("repositories/sql/pricing.sql")


def downgrade() -> None:
    op.drop_index("ix_escrows_org_id_paid", "escrows")
    op.drop_index("ix_escrows_agent_id_open", "escrows")
    op.drop_constraint(op.f("fk_contracts_quote_id_pricing_quotes"), "contracts", type_="foreignkey")
    op.drop_constraint(op.f("uq_contracts_quote_id"), "contracts", type_="unique")
    op.drop_column("contracts", "quote_id")
    for table in ("pricing_quotes", "pricing_agents", "pricing_rules", "pricing_book"):
        op.drop_table(table)
    op.execute("DROP FUNCTION quote_used_once")
