"""Trials of plans: one for each organization, and one for each card.

Revision ID: 0064_trials
Revises: 0063_subscription_sweep
"""

import sqlalchemy as sa
from alembic import op

revision: str = "0064_trials"
down_revision: str | None = "0063_subscription_sweep"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.create_table(
        "subscription_trials",
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("org_id", "card", "subscription_id")),
        sa.Column("began_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["org_id"], ["organizations.id"], name=op.f("fk_subscription_trials_org_id_organizations")
        ),
        sa.ForeignKeyConstraint(
            ["subscription_id"], ["subscriptions.id"], name=op.f("fk_subscription_trials_subscription_id_subscriptions")
        ),
        sa.PrimaryKeyConstraint("org_id", name=op.f("pk_subscription_trials")),
        sa.UniqueConstraint("card", name=op.f("uq_subscription_trials_card")),
    )
    for statement in (
        "ALTER TABLE subscription_trials ENABLE ROW LEVEL SECURITY",
        "CREATE POLICY platform ON subscription_trials TO bursar_platform USING (true) WITH CHECK (true)",
        "REVOKE ALL ON subscription_trials FROM bursar_api, bursar_platform",
        "GRANT SELECT, INSERT, DELETE ON subscription_trials TO bursar_platform",
    ):
        op.execute(statement)


def downgrade() -> None:
    op.drop_table("subscription_trials")
