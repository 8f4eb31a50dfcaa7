"""Versions of offers and of contacts, so that of two changes of what both have read the second is refused.

Revision ID: 0122_versions_of_offers
Revises: 0121_taxed_purchases
"""

import sqlalchemy as sa
from alembic import op

revision: str = "0122_versions_of_offers"
down_revision: str | None = "0121_taxed_purchases"
branch_labels: str | None = None
depends_on: str | None = None

#: Who changes each.
_TABLES = {"marketplace_offers": "bursar_platform", "organization_contacts": "bursar_api, bursar_platform"}


def upgrade() -> None:
    for table, roles in _TABLES.items():
        op.add_column(table, sa.Column("version", sa.BigInteger(), server_default=sa.text("1"), nullable=False))
        op.add_column(table, sa.Column("command_id", sa.Text(), nullable=True))
        op.execute(
            f"CREATE TRIGGER count_version BEFORE UPDATE ON {table} FOR EACH ROW "
            "WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION count_version()"
        )
        op.execute(f"GRANT UPDATE (command_id) ON {table} TO {roles}")


def downgrade() -> None:
    for table in _TABLES:
        op.execute(f"DROP TRIGGER count_version ON {table}")
        op.drop_column(table, "command_id")
        op.drop_column(table, "version")
