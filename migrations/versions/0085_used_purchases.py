"""A purchase that was used is refunded less what was used of its price.

Revision ID: 0085_used_purchases
Revises: 0084_agreed_uses
"""

import sqlalchemy as sa
from alembic import op

from migrations.scripts import run

revision: str = "0085_used_purchases"
down_revision: str | None = "0084_agreed_uses"
branch_labels: str | None = None
depends_on: str | None = None

_OFFERS, _PURCHASES = "marketplace_offers", "marketplace_purchases"
_SHARES = (
    "creator_minor + commission_minor = coalesce(price_minor, 0) AND least(creator_minor, commission_minor) >= 0 "
    "AND granted_minor BETWEEN 0 AND creator_minor AND {rest}"
)


def upgrade() -> None:
    for table in (_OFFERS, _PURCHASES):
        op.add_column(table, sa.Column("included_uses", sa.BigInteger(), nullable=True))
    op.add_column(_PURCHASES, sa.Column("used_minor", sa.BigInteger(), server_default=sa.text("0"), nullable=False))
    op.create_check_constraint(
        op.f(f"ck_{_OFFERS}_included_uses"), _OFFERS, "included_uses IS NULL OR included_uses > 0 AND model = 'one_time'"
    )
    _check_shares(
        "least(taken_minor, used_minor) >= 0 AND greatest(taken_minor, used_minor) <= coalesce(price_minor, 0)"
    )
    run("repositories/sql/marketplace_refunds.sql")


def downgrade() -> None:
    _check_shares("taken_minor BETWEEN 0 AND coalesce(price_minor, 0)")
    op.drop_column(_PURCHASES, "used_minor")
    op.drop_constraint(op.f(f"ck_{_OFFERS}_included_uses"), _OFFERS)
    for table in (_OFFERS, _PURCHASES):
        op.drop_column(table, "included_uses")


def _check_shares(rest: str) -> None:
    op.drop_constraint(op.f(f"ck_{_PURCHASES}_shares"), _PURCHASES)
    op.create_check_constraint(op.f(f"ck_{_PURCHASES}_shares"), _PURCHASES, _SHARES.format(rest=rest))
