"""Principals that are one whatever their case, with two active keys at most.

Revision ID: 0019_key_places
Revises: 0018_entries_of_organizations
"""

import sqlalchemy as sa
from alembic import op

revision = "0019_key_places"
down_revision = "0018_entries_of_organizations"
branch_labels = None
depends_on = None

OF_TENANTS = sa.text("revoked_at IS NULL AND org_id IS NOT NULL")
OF_PLATFORM = sa.text("revoked_at IS NULL AND org_id IS NULL")


def upgrade() -> None:
    op.add_column("api_keys", sa.Column("place", sa.SmallInteger(), server_default=sa.text("1"), nullable=False))
    # Active keys whose principals differ in case only stay good; no further one is issued beside them.
    op.execute(
        "UPDATE api_keys k SET place = r.place FROM ("
        "SELECT id, row_number() OVER (PARTITION BY org_id, lower(principal) ORDER BY id) AS place "
        "FROM api_keys WHERE revoked_at IS NULL) r WHERE r.id = k.id AND r.place > 1"
    )
    op.drop_index("uq_api_keys_principal", "api_keys")
    op.drop_index("uq_api_keys_platform_principal", "api_keys")
    folded = sa.text("lower(principal)")
    op.create_index(
        "uq_api_keys_principal", "api_keys", ["org_id", folded, "place"], unique=True, postgresql_where=OF_TENANTS
    )
    op.create_index(
        "uq_api_keys_platform_principal", "api_keys", [folded, "place"], unique=True, postgresql_where=OF_PLATFORM
    )


def downgrade() -> None:
    """Go back while no principal has two active keys; the indexes refuse it otherwise."""
    op.drop_index("uq_api_keys_principal", "api_keys")
    op.drop_index("uq_api_keys_platform_principal", "api_keys")
    op.create_index(
        "uq_api_keys_principal", "api_keys", ["org_id", "principal"], unique=True, postgresql_where=OF_TENANTS
    )
    op.create_index(
        "uq_api_keys_platform_principal", "api_keys", ["principal"], unique=True, postgresql_where=OF_PLATFORM
    )
    op.drop_column("api_keys", "place")
