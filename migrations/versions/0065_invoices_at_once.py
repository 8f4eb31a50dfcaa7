"""A run writes each invoice in one statement.

Revision ID: 0065_invoices_at_once
Revises: 0064_trials
"""

from alembic import op

from migrations.scripts import run

revision: str = "0065_invoices_at_once"
down_revision: str | None = "0064_trials"
branch_labels: str | None = None
depends_on: str | None = None

_NAME = "fk_billed_periods_invoice_id_invoices"


def upgrade() -> None:
    _reference(deferred=True)
    run("repositories/sql/billing.sql")
    run("repositories/sql/billing_runs.sql")


def downgrade() -> None:
    op.execute("DROP FUNCTION billing_run_invoice")
    _reference(deferred=False)


def _reference(*, deferred: bool) -> None:
    # The period is claimed before its invoice is written.
    op.drop_constraint(op.f(_NAME), "billed_periods", type_="foreignkey")
    op.create_foreign_key(
        op.f(_NAME),
        "billed_periods",
        "invoices",
        ["invoice_id"],
        ["id"],
        deferrable=deferred or None,
        initially="DEFERRED" if deferred else None,
    )
