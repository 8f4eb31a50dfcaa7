"""Projects, their deployments, and the tiers of organizations.

Revision ID: 0009_projects
Revises: 0008_invoices
"""

import sqlalchemy as sa
from alembic import op

from migrations.scripts import run

revision = "0009_projects"
down_revision = "0008_invoices"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("organizations", sa.Column("tier", sa.Text(), server_default="free", nullable=False))
    op.create_check_constraint(op.f("ck_organizations_tier"), "organizations", "tier IN ('free', 'premium')")
    op.create_table(
        "projects",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("org_id", sa.Text(), nullable=False),
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("deployed_at", TIME, nullable=True),
        sa.Column("occupies_slot", sa.Boolean(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("command_id", sa.Text(), nullable=False),
        sa.Column("created_at", TIME, server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("deployed_at IS NOT NULL OR NOT occupies_slot", name=op.f("ck_projects_slot")),
        sa.ForeignKeyConstraint(["org_id"], ["organizations.id"], name=op.f("fk_projects_org_id_organizations")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_projects")),
        sa.UniqueConstraint("org_id", "slug", name=op.f("uq_projects_org_id_slug")),
        sa.UniqueConstraint("command_id", name=op.f("uq_projects_command_id")),
    )
    op.create_index("ix_projects_org_id_id", "projects", ["org_id", "id"])
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
        sa.Column("at", TIME, nullable=False),
        sa.CheckConstraint(
            "kind IN ('deployed', 'undeployed', 'tier_changed')", name=op.f("ck_deployment_events_kind")
        ),
        sa.CheckConstraint("(project_id IS NULL) = (kind = 'tier_changed')", name=op.f("ck_deployment_events_project")),
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
    for table in ("deployment_events", "projects"):
        op.drop_table(table)
    op.drop_constraint(op.f("ck_organizations_tier"), "organizations")
    op.drop_column("organizations", "tier")
