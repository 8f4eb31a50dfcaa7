"""Billing terms own currency, time zone and time to pay; billing profiles have none of them any more.

Profiles' currencies were read nowhere. Their time zones and days are dropped as they are: what was agreed is agreed again
as terms, because only an operator can say from which month on it holds.

Revision ID: 0079_terms_own_time_to_pay
Revises: 0078_referrals
"""

import sqlalchemy as sa
from alembic import op

revision: str = "0079_terms_own_time_to_pay"
down_revision: str | None = "0078_referrals"
branch_labels: str | None = None
depends_on: str | None = None

_PROFILES, _TERMS = "billing_profiles", "billing_terms"


def upgrade() -> None:
    op.add_column(
        _TERMS, sa.Column("collection_method", sa.Text(), server_default="charge_automatically", nullable=False)
    )
    op.create_check_constraint(
        op.f(f"ck_{_TERMS}_collection_method"), _TERMS, "collection_method IN ('charge_automatically', 'send_invoice')"
    )
    for name in ("currency", "time_zone", "net_terms_days"):
        op.drop_column(_PROFILES, name)


def downgrade() -> None:
    for name in ("currency", "time_zone"):
        op.add_column(_PROFILES, sa.Column(name, sa.Text(), nullable=True))
    op.add_column(_PROFILES, sa.Column("net_terms_days", sa.BigInteger(), nullable=True))
    op.create_check_constraint(
        op.f(f"ck_{_PROFILES}_net_terms_days"), _PROFILES, "net_terms_days BETWEEN 0 AND 365"
    )
    op.drop_column(_TERMS, "collection_method")
