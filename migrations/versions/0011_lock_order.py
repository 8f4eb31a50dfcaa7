"""Striped accounts are locked last, and transactions that post more than once lock all their balances first.

Revision ID: 0011_lock_order
Revises: 0010_escrow_notices
"""

from alembic import op

from migrations.scripts import run

revision = "0011_lock_order"
down_revision = "0010_escrow_notices"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Today's functions write it, and each revision is committed by itself: postings must be taken wherever this stops.
    op.execute("ALTER TABLE ledger.entries ADD COLUMN IF NOT EXISTS org_id text")
    for name in ("post", "batch", "holds", "access"):
        run(f"ledger/sql/{name}.sql")


def downgrade() -> None:
    """Leave the functions, and the column that they write: the order of locks says nothing about what is stored."""
