"""What the books come to by day and line of the chart, the index of a day's journal, and the role of accountants.

Revision ID: 0050_accounting
Revises: 0049_plans
"""

import sqlalchemy as sa
from alembic import op

from migrations.scripts import run

revision: str = "0050_accounting"
down_revision: str | None = "0049_plans"
branch_labels: str | None = None
depends_on: str | None = None

_NONE = "00000000-0000-0000-0000-000000000000"


def _platform_roles(roles: str) -> None:
    op.drop_constraint(op.f("ck_api_keys_platform_roles"), "api_keys", type_="check")
    op.create_check_constraint(op.f("ck_api_keys_platform_roles"), "api_keys", f"(org_id IS NULL) = (role IN ({roles}))")


def upgrade() -> None:
    op.create_table(
        "accounting_days",
        sa.Column("day", sa.Date(), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("line", "kind", "asset")),
        *(sa.Column(name, sa.Numeric(), nullable=False) for name in ("debits", "credits")),
        sa.CheckConstraint("least(debits, credits) >= 0", name=op.f("ck_accounting_days_counted")),
        sa.PrimaryKeyConstraint("day", "line", "kind", "asset", name=op.f("pk_accounting_days")),
        schema="ledger",
        postgresql_with={"fillfactor": "50"},
    )
    op.create_table(
        "accounting_place",
        sa.Column("id", sa.SmallInteger(), server_default=sa.text("1"), autoincrement=False, nullable=False),
        sa.Column("summed", sa.Uuid(), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_accounting_place_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_accounting_place")),
        schema="ledger",
    )
    op.execute(f"INSERT INTO ledger.accounting_place (summed) VALUES ('{_NONE}')")
    # Transfers lie in the order of their time but for a few that are booked late: a summary of each range of pages finds
    # a day, and postings pay nothing for it.
    op.create_index(
        "ix_transfers_effective_at",
        "transfers",
        ["effective_at"],
        schema="ledger",
        postgresql_using="brin",
        postgresql_with={"pages_per_range": 32, "autosummarize": True},
    )
    run("ledger/sql/accounting.sql")
    _platform_roles("'operator', 'arbiter', 'validator', 'accountant'")


def downgrade() -> None:
    op.execute("UPDATE api_keys SET revoked_at = coalesce(revoked_at, now()), role = 'validator' WHERE role = 'accountant'")
    _platform_roles("'operator', 'arbiter', 'validator'")
    op.drop_index("ix_transfers_effective_at", table_name="transfers", schema="ledger")
    for function in ("add_up_days(integer)", "sums_by_day(uuid, uuid)"):
        op.execute(f"DROP FUNCTION ledger.{function}")
    op.drop_table("accounting_place", schema="ledger")
    op.drop_table("accounting_days", schema="ledger")
    op.execute("DROP FUNCTION ledger.chart_line(text)")
