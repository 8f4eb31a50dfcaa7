"""Ids and metadata that organizations write on objects, and versions of organizations, agents and projects.

Revision ID: 0097_object_metadata
Revises: 0096_accounts_standing
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.scripts import run

revision: str = "0097_object_metadata"
down_revision: str | None = "0096_accounts_standing"
branch_labels: str | None = None
depends_on: str | None = None

_VERSIONED = ("organizations", "agents", "projects")


def upgrade() -> None:
    op.create_table(
        "object_metadata",
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("object_id", "org_id")),
        sa.Column(
            "prefix", sa.Text(), sa.Computed("split_part(object_id, '_', 1)", persisted=True), nullable=False
        ),
        sa.Column("external_id", sa.Text(), nullable=True),
        sa.Column("metadata", postgresql.JSONB(), server_default="{}", nullable=False),
        sa.Column("version", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        sa.Column("command_id", sa.Text(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("jsonb_typeof(metadata) = 'object'", name=op.f("ck_object_metadata_metadata")),
        sa.CheckConstraint("length(external_id) BETWEEN 1 AND 200", name=op.f("ck_object_metadata_external_id")),
        sa.ForeignKeyConstraint(["org_id"], ["organizations.id"], name=op.f("fk_object_metadata_org_id_organizations")),
        sa.PrimaryKeyConstraint("object_id", "org_id", name=op.f("pk_object_metadata")),
    )
    op.create_index(
        "uq_object_metadata_external_id",
        "object_metadata",
        ["prefix", "external_id", "org_id"],
        unique=True,
        postgresql_where=sa.text("external_id IS NOT NULL"),
    )
    op.create_index(
        "uq_object_metadata_organization",
        "object_metadata",
        ["external_id"],
        unique=True,
        postgresql_where=sa.text("external_id IS NOT NULL AND prefix = 'org'"),
    )
    names = ("prefix", "key", "value", "org_id", "object_id")
    op.create_table(
        "metadata_pairs",
        *(sa.Column(name, sa.Text(), nullable=False) for name in names),
        sa.PrimaryKeyConstraint(*names, name=op.f("pk_metadata_pairs")),
    )
    for table in _VERSIONED:
        op.add_column(table, sa.Column("version", sa.BigInteger(), server_default=sa.text("1"), nullable=False))
    op.add_column("agents", sa.Column("description", sa.Text(), nullable=True))
    run("repositories/sql/metadata.sql")


def downgrade() -> None:
    op.drop_column("agents", "description")
    for table in _VERSIONED:
        op.execute(f"DROP TRIGGER count_version ON {table}")
        op.drop_column(table, "version")
    op.execute("DROP FUNCTION count_version()")
    op.drop_table("metadata_pairs")
    op.drop_table("object_metadata")
    op.execute("DROP FUNCTION write_metadata_pairs()")
