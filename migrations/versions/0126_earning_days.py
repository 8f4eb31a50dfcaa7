"""What agents earned and were paid out, by account and day.

Revision ID: 0126_earning_days
Revises: 0125_convertible_sales
"""

import sqlalchemy as sa
from alembic import op

from migrations.scripts import run

revision: str = "0126_earning_days"
down_revision: str | None = "0125_convertible_sales"
branch_labels: str | None = None
depends_on: str | None = None

#: Up to where the batch has come, which waits meanwhile.
_FILL = """
    INSERT INTO ledger.earning_days (account_id, day, earned, paid_out)
    SELECT s.* FROM (SELECT p.summed FROM ledger.accounting_place p FOR UPDATE) p,
        LATERAL ledger.earned_by_day('00000000-0000-0000-0000-000000000000', p.summed) s
"""


def upgrade() -> None:
    op.create_table(
        "earning_days",
        sa.Column("account_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in ("earned", "paid_out")),
        sa.CheckConstraint("earned >= 0", name=op.f("ck_earning_days_counted")),
        sa.PrimaryKeyConstraint("account_id", "day", name=op.f("pk_earning_days")),
        schema="ledger",
        postgresql_with={"fillfactor": "50"},
    )
    run("ledger/sql/earning_days.sql")
    op.execute(_FILL)


def downgrade() -> None:
    op.execute("DROP TRIGGER add_up_earnings ON ledger.accounting_place")
    for function in ("add_up_earnings()", "earned_by_day(uuid, uuid)", "entries_not_added_up(text)"):
        op.execute(f"DROP FUNCTION ledger.{function}")
    op.drop_table("earning_days", schema="ledger")
