"""Projects, deployment slots and their history.

Revision ID: 0008_deployments
Revises: 0007_receivables
"""

import sqlalchemy as sa
from alembic import op

from migrations.scripts import run

revision: str = "0008_deployments"
down_revision: str | None = "0007_receivables"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.create_table(
        "projects",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("org_id", sa.Text(), nullable=False),
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("deployed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("occupies_slot", sa.Boolean(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("command_id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("deployed_at IS NOT NULL OR NOT occupies_slot", name=op.f("ck_projects_slot")),
        sa.ForeignKeyConstraint(["org_id"], ["organizations.id"], name=op.f("fk_projects_org_id_organizations")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_projects")),
        sa.UniqueConstraint("command_id", name=op.f("uq_projects_command_id")),
        sa.UniqueConstraint("org_id", "slug", name=op.f("uq_projects_org_id_slug")),
    )
    op.create_index("ix_projects_org_id_id", "projects", ["org_id", "id"], unique=False)
    op.create_table(
        "deployment_events",
        sa.Column("org_id", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("project_id", sa.Text(), nullable=True),
        sa.Column("slots", sa.BigInteger(), nullable=False),
        sa.Column("transfer_id", sa.UUID(), nullable=True),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("command_id", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("(project_id IS NULL) = (kind = 'tier_changed')", name=op.f("ck_deployment_events_project")),
        sa.CheckConstraint(
            "kind IN ('deployed', 'undeployed', 'tier_changed')", name=op.f("ck_deployment_events_kind")
        ),
        sa.CheckConstraint("(transfer_id IS NULL) = (slots = 0)", name=op.f("ck_deployment_events_transfer")),
        sa.ForeignKeyConstraint(
            ["org_id"], ["organizations.id"], name=op.f("fk_deployment_events_org_id_organizations")
        ),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_deployment_events_project_id_projects")),
        sa.PrimaryKeyConstraint("org_id", "number", name=op.f("pk_deployment_events")),
        sa.UniqueConstraint("command_id", name=op.f("uq_deployment_events_command_id")),
    )
    run("repositories/sql/projects.sql")


def downgrade() -> None:
    for table in (
        "deployment_events",
        "projects",
    ):
        op.drop_table(table)
