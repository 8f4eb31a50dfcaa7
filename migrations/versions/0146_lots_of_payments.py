"""The lots of a payment are found by an index, so a refund does not read every lot of its account.

Revision ID: 0146_lots_of_payments
Revises: 0145_vat_numbers
"""

import sqlalchemy as sa
from alembic import op

from migrations.scripts import run

revision: str = "0146_lots_of_payments"
down_revision: str | None = "0145_vat_numbers"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    _replace("payment_id IS NOT NULL")
    for name in ("lots", "lots_access"):
        run(f"ledger/sql/{name}.sql")


def _replace(condition: str) -> None:
    # Made under another name first: whoever reads lots waits for the exchange alone, and not while it is made.
    op.create_index("ix_lots_payment_new", "lots", ["payment_id"], schema="ledger", postgresql_where=sa.text(condition))
    op.drop_index("ix_lots_payment_id", table_name="lots", schema="ledger")
    op.execute("ALTER INDEX ledger.ix_lots_payment_new RENAME TO ix_lots_payment_id")


def downgrade() -> None:
    """Leave the functions: the release before calls them as it did."""
    _replace("payment_id IS NOT NULL AND parent_id IS NOT NULL")
