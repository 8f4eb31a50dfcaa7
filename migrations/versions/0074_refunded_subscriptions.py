"""Subscriptions that are refunded: what came back with their credits, and what credit notes have taken back.

Revision ID: 0074_refunded_subscriptions
Revises: 0073_marketplace_uses
"""

import sqlalchemy as sa
from alembic import op

revision: str = "0074_refunded_subscriptions"
down_revision: str | None = "0073_marketplace_uses"
branch_labels: str | None = None
depends_on: str | None = None

_BILLS = "subscription_bills"
_COLUMNS = ("returned_minor", "credited_minor")


def upgrade() -> None:
    for name in _COLUMNS:
        op.add_column(_BILLS, sa.Column(name, sa.BigInteger(), server_default=sa.text("0"), nullable=False))
    _guard(
        "least(granted_minor, accrued_minor, returned_minor, credited_minor) >= 0 "
        "AND granted_minor + accrued_minor + credited_minor <= amount_minor",
        "granted_minor + accrued_minor + credited_minor < amount_minor",
    )
    op.execute("GRANT UPDATE (returned_minor, credited_minor) ON subscription_bills TO bursar_platform")


def downgrade() -> None:
    _guard(
        "least(granted_minor, accrued_minor) >= 0 AND granted_minor + accrued_minor <= amount_minor",
        "granted_minor + accrued_minor < amount_minor",
    )
    for name in _COLUMNS:
        op.drop_column(_BILLS, name)


def _guard(given: str, deferred: str) -> None:
    op.drop_constraint(op.f("ck_subscription_bills_given"), _BILLS)
    op.create_check_constraint(op.f("ck_subscription_bills_given"), _BILLS, given)
    op.drop_index("ix_subscription_bills_deferred", _BILLS)
    op.create_index(
        "ix_subscription_bills_deferred",
        _BILLS,
        ["accrued_on", "provider", "bill_ref"],
        postgresql_where=sa.text(deferred),
    )
