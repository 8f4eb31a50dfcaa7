"""Creators' statements state tax where a creator charges it, and what is taken back later corrects them.

Revision ID: 0086_creator_corrections
Revises: 0085_used_purchases
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.scripts import run

revision: str = "0086_creator_corrections"
down_revision: str | None = "0085_used_purchases"
branch_labels: str | None = None
depends_on: str | None = None

_TABLE = "creator_corrections"
_KINDS = "kind IN ('invoice', 'receipt', 'credit_note', 'statement'{more})"


def upgrade() -> None:
    op.add_column("billing_profiles", sa.Column("charges_vat", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column("creator_statements", sa.Column("tax_minor", sa.BigInteger(), server_default="0", nullable=False))
    _kinds(", 'statement_correction'")
    op.create_table(
        _TABLE,
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("id", "statement_id", "org_id")),
        sa.Column("month", sa.Date(), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("currency", "number", "series")),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in ("total_minor", "tax_minor")),
        sa.Column("content", postgresql.JSONB(), nullable=False),
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "total_minor > 0 AND tax_minor BETWEEN 0 AND total_minor", name=op.f(f"ck_{_TABLE}_amounts")
        ),
        sa.ForeignKeyConstraint(
            ["statement_id"], ["creator_statements.id"], name=op.f(f"fk_{_TABLE}_statement_id_creator_statements")
        ),
        sa.ForeignKeyConstraint(["org_id"], ["organizations.id"], name=op.f(f"fk_{_TABLE}_org_id_organizations")),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{_TABLE}")),
        sa.UniqueConstraint("number", name=op.f(f"uq_{_TABLE}_number")),
        sa.UniqueConstraint("statement_id", "month", name=f"uq_{_TABLE}_month"),
    )
    run("repositories/sql/creator_corrections.sql")


def _kinds(more: str) -> None:
    op.drop_constraint(op.f("ck_documents_kind"), "documents")
    op.create_check_constraint(op.f("ck_documents_kind"), "documents", _KINDS.format(more=more))


def downgrade() -> None:
    op.drop_table(_TABLE)
    _kinds("")
    op.drop_column("creator_statements", "tax_minor")
    op.drop_column("billing_profiles", "charges_vat")
