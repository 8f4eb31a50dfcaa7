"""What credits of a subscription said follows the money of their bill, whichever payments it is of.

Revision ID: 0198_recalls_of_bills
Revises: 0197_credits_that_paid_debts
"""

import sqlalchemy as sa
from alembic import op

from migrations.scripts import run

revision: str = "0198_recalls_of_bills"
down_revision: str | None = "0197_credits_that_paid_debts"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.create_index(
        "ix_lots_root_id",
        "lots",
        ["root_id"],
        schema="ledger",
        postgresql_where=sa.text("parent_id IS NOT NULL AND source IN ('subscription', 'refund')"),
    )
    op.execute(
        "UPDATE reputation_recalls r SET payment_id = b.invoice_id FROM subscription_bills b"
        " WHERE b.payment_id = r.payment_id"
    )
    # The first takes back what the others grant.
    for name in ("reputation", "reputation_nights", "reputation_seasoned", "reputation_boards", "reputation_recalls"):
        run(f"repositories/sql/{name}.sql")
    for name in ("organization_traits", "kept_traits", "reputation_client_events", "reputation_seasoned_clients"):
        run(f"repositories/sql/{name}.sql")
    run("repositories/sql/reputation_rates.sql")


def downgrade() -> None:
    op.execute("DROP FUNCTION reputation_billed")
    op.execute(
        "UPDATE reputation_recalls r SET payment_id = b.payment_id FROM subscription_bills b"
        " WHERE b.invoice_id = r.payment_id AND b.payment_id IS NOT NULL"
    )
    op.drop_index("ix_lots_root_id", "lots", schema="ledger")
