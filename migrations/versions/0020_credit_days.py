"""What organizations use of their credits, day by day.

Revision ID: 0020_credit_days
Revises: 0019_usage_sources
"""

import sqlalchemy as sa
from alembic import op

from migrations.scripts import run

revision: str = "0020_credit_days"
down_revision: str | None = "0019_usage_sources"
branch_labels: str | None = None
depends_on: str | None = None

_FILL = """
INSERT INTO ledger.credit_days (org_id, day, used, refunded, expired, spends)
SELECT org_id, (at AT TIME ZONE 'UTC')::date, sum(used), sum(refunded), sum(expired), sum(spends)
FROM (
    SELECT s.org_id, s.at, CASE WHEN s.expires_at IS NULL THEN s.amount ELSE 0 END AS used, 0 AS refunded,
        0 AS expired, 1 AS spends
    FROM ledger.spends s
    UNION ALL
    SELECT c.org_id, c.at, CASE c.kind WHEN 'capture' THEN c.amount ELSE 0 END,
        CASE c.kind WHEN 'refund' THEN c.amount ELSE 0 END, 0, 0
    FROM ledger.spend_changes c WHERE c.kind IN ('capture', 'refund')
    UNION ALL
    SELECT t.org_id, t.effective_at, 0, 0, -e.amount, 0
    FROM ledger.transfers t JOIN ledger.entries e ON e.transfer_id = t.id AND e.amount < 0
    WHERE t.kind = 'credit.expired'
) parts
GROUP BY 1, 2
"""


def upgrade() -> None:
    op.create_table(
        "credit_days",
        sa.Column("org_id", sa.Text(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        *(
            sa.Column(name, sa.BigInteger(), server_default=sa.text("0"), nullable=False)
            for name in ("used", "refunded", "expired", "spends")
        ),
        sa.CheckConstraint(
            "used >= 0 AND refunded >= 0 AND expired >= 0 AND spends >= 0", name=op.f("ck_credit_days_counted")
        ),
        sa.PrimaryKeyConstraint("org_id", "day", name=op.f("pk_credit_days")),
        schema="ledger",
        postgresql_with={"fillfactor": "50"},
    )
    # Nothing is written between the fill and the triggers.
    op.execute("LOCK TABLE ledger.spends, ledger.spend_changes IN SHARE ROW EXCLUSIVE MODE")
    op.execute(_FILL)
    run("ledger/sql/lots.sql")
    run("ledger/sql/credit_days.sql")


def downgrade() -> None:
    op.execute("DROP TRIGGER count_spends ON ledger.spends")
    op.execute("DROP TRIGGER count_changes ON ledger.spend_changes")
    op.execute("DROP FUNCTION ledger.count_spends, ledger.count_changes")
    op.drop_table("credit_days", schema="ledger")
