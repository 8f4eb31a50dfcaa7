"""Agents' earnings in credits become credits, and what is given more time says how much it was given.

Revision ID: 0040_earnings
Revises: 0039_reputation_boards
"""

from alembic import op

from migrations.scripts import run

revision: str = "0040_earnings"
down_revision: str | None = "0039_reputation_boards"
branch_labels: str | None = None
depends_on: str | None = None

#: What was renewed before was renewed once and for all.
_RENEWED = """
UPDATE ledger.lots l SET extended = r.expires_at - r.opened_at
FROM ledger.lots r WHERE r.id = l.root_id AND l.expires_at <> r.expires_at AND l.extended = '0'
"""


def upgrade() -> None:
    run("ledger/sql/lots.sql")
    op.execute("ALTER TABLE ledger.lots DISABLE TRIGGER immutable")
    op.execute(_RENEWED)
    op.execute("ALTER TABLE ledger.lots ENABLE TRIGGER immutable")
    for name in ("lots_access", "spend_changes", "spend_tenants"):
        run(f"ledger/sql/{name}.sql")


def downgrade() -> None:
    """Leave the functions and the column that they write: the release before calls them as it did."""
