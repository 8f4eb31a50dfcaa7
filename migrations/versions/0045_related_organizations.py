"""What organizations have in common, and what is void because of it.

Revision ID: 0045_related_organizations
Revises: 0044_demand_of_calls
"""

import sqlalchemy as sa
from alembic import op

from migrations.scripts import run

revision: str = "0045_related_organizations"
down_revision: str | None = "0044_demand_of_calls"
branch_labels: str | None = None
depends_on: str | None = None

_EXCLUDED = "ck_reputation_events_excluded"


def upgrade() -> None:
    op.create_table(
        "organization_traits",
        sa.Column("org_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        *(
            sa.Column(name, sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False)
            for name in ("first_seen", "last_seen")
        ),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("judged_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "kind IN ('card', 'bank', 'paypal', 'payout_account', 'tax_id', 'referrer', 'probe')",
            name=op.f("ck_organization_traits_kind"),
        ),
        sa.ForeignKeyConstraint(
            ["org_id"], ["organizations.id"], name=op.f("fk_organization_traits_org_id_organizations")
        ),
        sa.PrimaryKeyConstraint("org_id", "kind", "digest", name=op.f("pk_organization_traits")),
    )
    op.create_index("ix_organization_traits_kind_digest", "organization_traits", ["kind", "digest", "org_id"])
    op.create_index(
        "ix_organization_traits_new",
        "organization_traits",
        ["org_id"],
        postgresql_where=sa.text("judged_at IS NULL"),
    )
    op.drop_constraint(op.f(_EXCLUDED), "reputation_events")
    op.create_check_constraint(
        op.f(_EXCLUDED), "reputation_events", "excluded IN ('own', 'related', 'probe', 'unpaid')"
    )
    # The first takes back what the others grant.
    for name in ("reputation", "reputation_nights", "reputation_seasoned", "reputation_boards", "reputation_recalls"):
        run(f"repositories/sql/{name}.sql")
    run("repositories/sql/organization_traits.sql")


def downgrade() -> None:
    op.execute("DROP FUNCTION reputation_judge_traits, reputation_excluded")
    op.drop_constraint(op.f(_EXCLUDED), "reputation_events")
    op.create_check_constraint(op.f(_EXCLUDED), "reputation_events", "excluded IN ('own', 'related', 'unpaid')")
    op.drop_table("organization_traits")
