"""What of the price of a purchase is tax.

Revision ID: 0121_taxed_purchases
Revises: 0118_event_ranges
"""

import sqlalchemy as sa
from alembic import op

revision: str = "0121_taxed_purchases"
down_revision: str | None = "0118_event_ranges"
branch_labels: str | None = None
depends_on: str | None = None

_TABLE = "marketplace_purchases"
_SHARES = (
    "creator_minor + commission_minor{tax} = coalesce(price_minor, 0) AND least(creator_minor, commission_minor{of}) "
    ">= 0 AND granted_minor BETWEEN 0 AND creator_minor AND least(taken_minor, used_minor) >= 0 "
    "AND greatest(taken_minor, used_minor) <= coalesce(price_minor, 0)"
)


def upgrade() -> None:
    op.add_column(_TABLE, sa.Column("tax_minor", sa.BigInteger(), server_default=sa.text("0"), nullable=False))
    _check_shares(tax=" + tax_minor", of=", tax_minor")


def downgrade() -> None:
    _check_shares(tax="", of="")
    op.drop_column(_TABLE, "tax_minor")


def _check_shares(**parts: str) -> None:
    op.drop_constraint(op.f(f"ck_{_TABLE}_shares"), _TABLE)
    op.create_check_constraint(op.f(f"ck_{_TABLE}_shares"), _TABLE, _SHARES.format(**parts))
