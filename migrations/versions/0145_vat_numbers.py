"""Organizations are found by their VAT number.

Revision ID: 0145_vat_numbers
Revises: 0144_accounts_and_refunds
"""

import sqlalchemy as sa
from alembic import op

revision: str = "0145_vat_numbers"
down_revision: str | None = "0144_accounts_and_refunds"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.create_index(
        "ix_billing_profiles_vat_id", "billing_profiles", ["vat_id"], postgresql_where=sa.text("vat_id IS NOT NULL")
    )


def downgrade() -> None:
    op.drop_index("ix_billing_profiles_vat_id", table_name="billing_profiles")
