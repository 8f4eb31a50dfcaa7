"""The index of lots that are due is the sweep's alone.

Revision ID: 0033_due_lots
Revises: 0032_spend_days
"""

import sqlalchemy as sa
from alembic import op

from migrations.scripts import run

revision: str = "0033_due_lots"
down_revision: str | None = "0032_spend_days"
branch_labels: str | None = None
depends_on: str | None = None

_LAPSING = "is_open AND lapses AND expires_at IS NOT NULL"


def upgrade() -> None:
    _replace(f"{_LAPSING} AND amount > 0")
    run("ledger/sql/lots.sql")


def _replace(condition: str) -> None:
    op.drop_index("ix_lots_due", table_name="lots", schema="ledger")
    op.create_index("ix_lots_due", "lots", ["expires_at"], schema="ledger", postgresql_where=sa.text(condition))


def downgrade() -> None:
    _replace(_LAPSING)
