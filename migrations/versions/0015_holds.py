"""Holds lock no row of their account, are swept by their time, and answer what became of them.

Revision ID: 0015_holds
Revises: 0014_lists
"""

import sqlalchemy as sa
from alembic import op

from migrations.scripts import run

revision = "0015_holds"
down_revision = "0014_lists"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name in ("guards", "post", "batch", "holds", "access"):
        run(f"ledger/sql/{name}.sql")
    op.drop_constraint("fk_holds_account_id_accounts", "holds", schema="ledger")
    _index("expires_at", "id")


def downgrade() -> None:
    """Leave the functions, which are those of the release."""
    _index("expires_at")
    op.create_foreign_key(
        "fk_holds_account_id_accounts",
        "holds",
        "accounts",
        ["account_id"],
        ["id"],
        source_schema="ledger",
        referent_schema="ledger",
    )


def _index(*columns: str) -> None:
    op.drop_index("ix_holds_expires_at", "holds", schema="ledger")
    pending = sa.text("status = 'pending'")
    op.create_index("ix_holds_expires_at", "holds", [*columns], schema="ledger", postgresql_where=pending)
