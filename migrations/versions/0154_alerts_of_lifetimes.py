"""What alerts about limits of a lifetime are due for is found by what was changed.

Revision ID: 0154_alerts_of_lifetimes
Revises: 0152_months_that_end
"""

import sqlalchemy as sa
from alembic import op

revision: str = "0154_alerts_of_lifetimes"
down_revision: str | None = "0152_months_that_end"
branch_labels: str | None = None
depends_on: str | None = None

_KINDS = "'spend.threshold', 'spend.burst', 'spend.refused', 'budget_80_percent'"


def upgrade() -> None:
    firing = sa.text(f"resolved_at IS NULL AND kind IN ({_KINDS}) AND key NOT LIKE '%:lifetime:%'")
    op.create_index("ix_alerts_windows", "alerts", ["key"], postgresql_where=firing)
    op.create_index(
        "ix_control_versions_changed_at",
        "control_versions",
        ["changed_at"],
        schema="ledger",
        postgresql_where=sa.text("version > 1"),
    )


def downgrade() -> None:
    op.drop_index("ix_control_versions_changed_at", "control_versions", schema="ledger")
    op.drop_index("ix_alerts_windows", "alerts")
