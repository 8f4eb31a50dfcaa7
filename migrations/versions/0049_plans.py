"""Tiers are the plans of the configuration; what projects are deployed for; by which share slots were counted.

Revision ID: 0049_plans
Revises: 0048_usage_bills
"""

import sqlalchemy as sa
from alembic import op

revision: str = "0049_plans"
down_revision: str | None = "0048_usage_bills"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.drop_constraint(op.f("ck_organizations_tier"), "organizations")
    op.create_check_constraint(op.f("ck_organizations_tier"), "organizations", "tier ~ '^[a-z][a-z0-9_]{0,39}$'")
    op.add_column(
        "projects", sa.Column("deploy_type", sa.Text(), server_default=sa.text("'development'"), nullable=False)
    )
    op.create_check_constraint(
        op.f("ck_projects_deploy_type"), "projects", "deploy_type IN ('development', 'staging', 'production')"
    )
    op.add_column("deployment_events", sa.Column("plan", sa.Text(), nullable=True))
    op.add_column("deployment_events", sa.Column("share", sa.BigInteger(), nullable=True))
    # Only the newest event of each organization is compared with what is deployed now.
    op.execute("ALTER TABLE deployment_events DISABLE TRIGGER refuse_change")
    op.execute(
        """
        UPDATE deployment_events e SET plan = o.tier, share = CASE o.tier WHEN 'free' THEN 1 ELSE 5 END
        FROM organizations o
        WHERE o.id = e.org_id
            AND e.number = (SELECT max(number) FROM deployment_events newest WHERE newest.org_id = e.org_id)
        """
    )
    op.execute("ALTER TABLE deployment_events ENABLE TRIGGER refuse_change")


def downgrade() -> None:
    op.drop_column("deployment_events", "share")
    op.drop_column("deployment_events", "plan")
    op.drop_constraint(op.f("ck_projects_deploy_type"), "projects")
    op.drop_column("projects", "deploy_type")
    op.drop_constraint(op.f("ck_organizations_tier"), "organizations")
    op.execute("UPDATE organizations SET tier = 'premium' WHERE tier <> 'free'")
    op.create_check_constraint(op.f("ck_organizations_tier"), "organizations", "tier IN ('free', 'premium')")
