"""Tax ids and payout accounts that relate organizations, whatever the settings.

Revision ID: 0133_stated_traits
Revises: 0127_cheaper_events
"""

from alembic import op

from migrations.scripts import run

revision: str = "0133_stated_traits"
down_revision: str | None = "0127_cheaper_events"
branch_labels: str | None = None
depends_on: str | None = None

#: What stands in rows already; the next night judges what its organizations had said of each other.
_KEEP = """
INSERT INTO organization_traits (org_id, kind, digest)
SELECT org_id, '{kind}', organization_trait_digest('{kind}', {column}) FROM {table} WHERE {column} IS NOT NULL
ON CONFLICT DO NOTHING
"""


def upgrade() -> None:
    # The first takes back what the others grant.
    for name in ("reputation", "reputation_nights", "reputation_seasoned", "reputation_boards", "reputation_recalls"):
        run(f"repositories/sql/{name}.sql")
    for name in ("organization_traits", "kept_traits", "reputation_client_events"):
        run(f"repositories/sql/{name}.sql")
    op.execute(_KEEP.format(kind="tax_id", column="vat_id", table="billing_profiles"))
    op.execute(_KEEP.format(kind="payout_account", column="destination", table="creator_accounts"))


def downgrade() -> None:
    """Leave the functions that decide: they do the same without these traits."""
    op.execute("DROP TRIGGER keep_tax_id ON billing_profiles")
    op.execute("DROP TRIGGER keep_payout_account ON creator_accounts")
    op.execute("DROP FUNCTION keep_tax_id, keep_payout_account, organization_trait_digest")
