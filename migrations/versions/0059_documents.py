"""Documents that were made.

Revision ID: 0059_documents
Revises: 0058_payouts
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.scripts import run

revision: str = "0059_documents"
down_revision: str | None = "0058_payouts"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.create_table(
        "documents",
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("id", "org_id", "kind", "subject", "number")),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("total_minor", sa.BigInteger(), nullable=False),
        sa.Column("content", postgresql.JSONB(), nullable=False),
        sa.Column("pdf", sa.LargeBinary(), nullable=False),
        sa.Column("xml", sa.LargeBinary(), nullable=True),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "kind IN ('invoice', 'receipt', 'credit_note', 'statement')", name=op.f("ck_documents_kind")
        ),
        sa.CheckConstraint("sha256 = encode(sha256(pdf), 'hex')", name=op.f("ck_documents_sha256")),
        sa.ForeignKeyConstraint(["org_id"], ["organizations.id"], name=op.f("fk_documents_org_id_organizations")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_documents")),
        sa.UniqueConstraint("subject", "version", name="uq_documents_subject_version"),
    )
    op.create_index("ix_documents_org_id_id", "documents", ["org_id", "id"])
    run("repositories/sql/documents.sql")


def downgrade() -> None:
    op.drop_table("documents")
