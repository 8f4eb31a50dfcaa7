"""Entries carry the organization of their account, so that its history is read from an index.

Revision ID: 0018_entries_of_organizations
Revises: 0017_escrow_contents
"""

import sqlalchemy as sa
from alembic import op

from migrations.scripts import run

revision = "0018_entries_of_organizations"
down_revision = "0017_escrow_contents"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE ledger.entries ADD COLUMN IF NOT EXISTS org_id text")
    # The owner alone can do this, once: what the books say stays as it is.
    op.execute("ALTER TABLE ledger.entries DISABLE TRIGGER immutable")
    op.execute(
        "UPDATE ledger.entries e SET org_id = a.org_id FROM ledger.accounts a "
        "WHERE a.id = e.account_id AND a.org_id IS NOT NULL AND e.org_id IS NULL"
    )
    op.execute("ALTER TABLE ledger.entries ENABLE TRIGGER immutable")
    op.create_index(
        "ix_entries_org_id",
        "entries",
        ["org_id", "transfer_id", "account_id", "version"],
        schema="ledger",
        postgresql_where=sa.text("org_id IS NOT NULL"),
    )
    op.create_index(
        "ix_transfers_reference",
        "transfers",
        ["reference", "id"],
        schema="ledger",
        postgresql_where=sa.text("reference IS NOT NULL"),
    )
    op.drop_index("ix_transfers_credit_refunds", "transfers", schema="ledger")
    for name in ("guards", "post", "batch", "tenants"):
        run(f"ledger/sql/{name}.sql")


def downgrade() -> None:
    """Leave the functions, which are those of the release, and the column that they write."""
    op.execute("DROP POLICY tenant ON ledger.entries")
    op.execute(
        "CREATE POLICY tenant ON ledger.entries FOR SELECT TO bursar_api USING (EXISTS (SELECT FROM ledger.accounts a "
        "WHERE a.id = account_id AND a.org_id = public.bursar_org()))"
    )
    op.create_index(
        "ix_transfers_credit_refunds",
        "transfers",
        ["reference"],
        schema="ledger",
        postgresql_where=sa.text("kind = 'credit_payment_refund'"),
    )
    op.drop_index("ix_transfers_reference", "transfers", schema="ledger")
    op.drop_index("ix_entries_org_id", "entries", schema="ledger")
