"""What was taken for a lost payment in credits for which less had been paid, and what creators owe for one.

Revision ID: 0123_recovery_shortfalls
Revises: 0122_versions_of_offers
"""

import sqlalchemy as sa
from alembic import op

revision: str = "0123_recovery_shortfalls"
down_revision: str | None = "0122_versions_of_offers"
branch_labels: str | None = None
depends_on: str | None = None

_TABLE = "recoveries"
_OWED = "ix_recovery_shares_owed"


def upgrade() -> None:
    op.add_column(_TABLE, sa.Column("short_minor", sa.BigInteger(), server_default=sa.text("0"), nullable=False))
    _check("amount_minor > 0 AND short_minor BETWEEN 0 AND amount_minor")
    op.create_index(_OWED, "recovery_shares", ["org_id"], postgresql_where=sa.text("owed_minor > 0"))


def downgrade() -> None:
    op.drop_index(_OWED, "recovery_shares")
    _check("amount_minor > 0")
    op.drop_column(_TABLE, "short_minor")


def _check(condition: str) -> None:
    op.drop_constraint(op.f(f"ck_{_TABLE}_amount"), _TABLE)
    op.create_check_constraint(op.f(f"ck_{_TABLE}_amount"), _TABLE, condition)
