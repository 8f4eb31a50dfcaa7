"""Alerts about limits of a lifetime are found by what was changed; departments that are spent for are open again.

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
#: They were closed although a key belonged to them that had expired, as which a session by link still spends. Where
#: another open department has the name by now, the id tells them apart.
_REOPEN = """
    WITH used AS (
        SELECT DISTINCT unnest(d.path) AS id FROM departments d
        WHERE EXISTS (SELECT FROM api_keys k WHERE k.department_id = d.id AND k.revoked_at IS NULL)
    )
    UPDATE departments d SET closed_at = NULL, name = d.name || CASE WHEN EXISTS (
        SELECT FROM departments o WHERE o.org_id = d.org_id AND o.id <> d.id AND lower(o.name) = lower(d.name)
            AND (o.closed_at IS NULL OR o.id IN (SELECT u.id FROM used u))
    ) THEN ' (' || d.id || ')' ELSE '' END
    WHERE d.closed_at IS NOT NULL AND d.id IN (SELECT u.id FROM used u)
"""


def upgrade() -> None:
    op.execute(_REOPEN)
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
