"""Tax ids and payout accounts relate organizations whatever the settings; clients are trusted by what they cannot take back.

Revision ID: 0133_stated_traits
Revises: 0128_events_of_limits
"""

import sqlalchemy as sa
from alembic import op

from migrations.scripts import run

revision: str = "0133_stated_traits"
down_revision: str | None = "0128_events_of_limits"
branch_labels: str | None = None
depends_on: str | None = None

#: What stands in rows already; the next night judges what its organizations had said of each other.
_KEEP = """
INSERT INTO organization_traits (org_id, kind, digest)
SELECT org_id, '{kind}', organization_trait_digest('{kind}', {column}) FROM {table} WHERE {column} IS NOT NULL
ON CONFLICT DO NOTHING
"""


_INDEXES: tuple[tuple[str, str, list[str], str | None], ...] = (
    ("client_good", "reputation_events", ["counterparty_org_id", "seasoned_on"], "client_good_e6 > 0"),
    ("client_bad", "reputation_events", ["counterparty_org_id", "day"], "client_bad_e6 > 0"),
    ("org_id_day", "reputation_client_events", ["org_id", "day"], None),
)


def upgrade() -> None:
    op.create_table(
        "reputation_seasoned_clients",
        sa.Column("org_id", sa.Text(), nullable=False),
        sa.Column("through", sa.Date(), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in ("good_e6", "bad_e6", "held_e6")),
        sa.Column("since", sa.Date(), nullable=False),
        sa.ForeignKeyConstraint(
            ["org_id"], ["organizations.id"], name=op.f("fk_reputation_seasoned_clients_org_id_organizations")
        ),
        sa.PrimaryKeyConstraint("org_id", name=op.f("pk_reputation_seasoned_clients")),
    )
    for name, table, columns, where in _INDEXES:
        op.create_index(
            f"ix_{table}_{name}", table, columns, postgresql_where=None if where is None else sa.text(where)
        )
    # The first takes back what the others grant.
    for name in ("reputation", "reputation_nights", "reputation_seasoned", "reputation_boards", "reputation_recalls"):
        run(f"repositories/sql/{name}.sql")
    for name in ("organization_traits", "kept_traits", "reputation_client_events", "reputation_seasoned_clients"):
        run(f"repositories/sql/{name}.sql")
    op.execute(_KEEP.format(kind="tax_id", column="vat_id", table="billing_profiles"))
    op.execute(_KEEP.format(kind="payout_account", column="destination", table="creator_accounts"))


#: What functions that stay call, and what has nothing to do before this.
_CALLED = ("reputation_reseason_client(p_org text)", "reputation_catch_up_client(p_org text, p_since date, p_day date)")


def downgrade() -> None:
    """Leave what decides by traits: it does the same without these."""
    op.execute("DROP TRIGGER keep_tax_id ON billing_profiles")
    op.execute("DROP TRIGGER keep_payout_account ON creator_accounts")
    op.execute(
        "DROP FUNCTION keep_tax_id, keep_payout_account, organization_trait_digest, reputation_client_terms,"
        " reputation_season_client, reputation_seasoned_client_at"
    )
    for each in _CALLED:
        op.execute(f"CREATE OR REPLACE FUNCTION {each} RETURNS void LANGUAGE plpgsql AS $$ BEGIN END $$")
    for name, table, _, _ in reversed(_INDEXES):
        op.drop_index(f"ix_{table}_{name}", table)
    op.drop_table("reputation_seasoned_clients")
