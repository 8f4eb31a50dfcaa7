"""Escrows: the read model, its timeline, who is party to what, and commands that were noted.

Revision ID: 0003_escrows
Revises: 0002_organizations
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.scripts import run

revision: str = "0003_escrows"
down_revision: str | None = "0002_organizations"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.create_table(
        "contract_parties",
        sa.Column("org_id", sa.Text(), nullable=False),
        sa.Column("contract_id", sa.Text(), nullable=False),
        sa.Column("agent_id", sa.Text(), nullable=False),
        sa.Column("accept_by", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("org_id", "contract_id", name=op.f("pk_contract_parties")),
    )
    op.create_index(
        "ix_contract_parties_accept_by",
        "contract_parties",
        ["org_id", "accept_by"],
        unique=False,
        postgresql_where=sa.text("accept_by IS NOT NULL"),
    )
    op.create_index(
        "ix_contract_parties_accepted",
        "contract_parties",
        ["org_id", "contract_id"],
        unique=False,
        postgresql_where=sa.text("accept_by IS NULL"),
    )
    op.create_index(
        "ix_contract_parties_agent_id_accepted",
        "contract_parties",
        ["org_id", "agent_id", "contract_id"],
        unique=False,
        postgresql_where=sa.text("accept_by IS NULL"),
    )
    op.create_index(
        "ix_contract_parties_agent_id_not_accepted",
        "contract_parties",
        ["org_id", "agent_id", "contract_id"],
        unique=False,
        postgresql_where=sa.text("accept_by IS NOT NULL"),
    )
    op.create_index(
        "ix_contract_parties_not_accepted",
        "contract_parties",
        ["org_id", "contract_id"],
        unique=False,
        postgresql_where=sa.text("accept_by IS NOT NULL"),
    )
    op.create_index(
        "ix_contract_parties_org_id_agent_id_contract_id",
        "contract_parties",
        ["org_id", "agent_id", "contract_id"],
        unique=False,
    )
    op.create_table(
        "escrow_notices",
        sa.Column("command_id", sa.Text(), nullable=False),
        sa.Column("escrow_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("command", postgresql.JSONB(), nullable=False),
        sa.Column("noted_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.Column("deadline_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("name IN ('dispute', 'deliver', 'approve')", name=op.f("ck_escrow_notices_name")),
        sa.PrimaryKeyConstraint("command_id", name=op.f("pk_escrow_notices")),
    )
    op.create_index(
        "ix_escrow_notices_escrow_id",
        "escrow_notices",
        ["escrow_id"],
        unique=False,
        postgresql_where=sa.text("settled_at IS NULL"),
    )
    op.create_index(
        "ix_escrow_notices_settled_at",
        "escrow_notices",
        ["settled_at"],
        unique=False,
        postgresql_where=sa.text("settled_at IS NOT NULL"),
    )
    op.create_table(
        "escrow_parties",
        sa.Column("org_id", sa.Text(), nullable=False),
        sa.Column("escrow_id", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "escrow_id", name=op.f("pk_escrow_parties")),
    )
    op.create_index(
        "ix_escrow_parties_org_id_status_escrow_id", "escrow_parties", ["org_id", "status", "escrow_id"], unique=False
    )
    op.create_table(
        "escrows",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("contract_id", sa.Text(), nullable=False),
        sa.Column("org_id", sa.Text(), nullable=False),
        sa.Column("payee_org_id", sa.Text(), nullable=False),
        sa.Column("signatory_org_ids", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("agent_id", sa.Text(), nullable=False),
        sa.Column("workflow_id", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("funded_minor", sa.BigInteger(), nullable=False),
        sa.Column("released_minor", sa.BigInteger(), nullable=False),
        sa.Column("refunded_minor", sa.BigInteger(), nullable=False),
        sa.Column("commission_minor", sa.BigInteger(), nullable=False),
        sa.Column("next_deadline_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("state", postgresql.JSONB(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "status NOT IN ('released', 'refunded', 'split', 'cancelled', 'expired') OR released_minor + refunded_minor + commission_minor = funded_minor",
            name=op.f("ck_escrows_settled"),
        ),
        sa.CheckConstraint(
            "released_minor >= 0 AND refunded_minor >= 0 AND commission_minor >= 0 AND released_minor + refunded_minor + commission_minor <= funded_minor",
            name=op.f("ck_escrows_amounts"),
        ),
        sa.ForeignKeyConstraint(["contract_id"], ["contracts.id"], name=op.f("fk_escrows_contract_id_contracts")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_escrows")),
        sa.UniqueConstraint("contract_id", name=op.f("uq_escrows_contract_id")),
    )
    op.create_index(
        "ix_escrows_next_deadline_at",
        "escrows",
        ["next_deadline_at"],
        unique=False,
        postgresql_where=sa.text("next_deadline_at IS NOT NULL"),
    )
    op.create_index("ix_escrows_status_id", "escrows", ["status", "id"], unique=False)
    op.create_table(
        "escrow_events",
        sa.Column("escrow_id", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("command_id", sa.Text(), nullable=False),
        sa.Column("content_hash", sa.Text(), nullable=True),
        sa.Column("transfer_id", sa.UUID(), nullable=True),
        sa.Column("details", postgresql.JSONB(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["escrow_id"], ["escrows.id"], name=op.f("fk_escrow_events_escrow_id_escrows")),
        sa.PrimaryKeyConstraint("escrow_id", "number", name=op.f("pk_escrow_events")),
    )
    op.create_index("uq_escrow_events_escrow_id_command_id", "escrow_events", ["escrow_id", "command_id"], unique=True)
    run("repositories/sql/escrow.sql")
    run("repositories/sql/contracts.sql")
    run("repositories/sql/parties.sql")
    run("repositories/sql/escrow_notices.sql")


def downgrade() -> None:
    op.execute("DROP FUNCTION tenant_escrow(text, text)")
    op.execute("DROP FUNCTION escrow_needs_acceptance() CASCADE")
    op.execute("DROP FUNCTION contract_accepted_once() CASCADE")
    op.execute("DROP FUNCTION write_contract_parties() CASCADE")
    op.execute("DROP FUNCTION write_escrow_parties() CASCADE")
    for table in (
        "escrow_events",
        "escrows",
        "escrow_parties",
        "escrow_notices",
        "contract_parties",
    ):
        op.drop_table(table)
