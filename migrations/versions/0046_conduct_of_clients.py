"""What organizations did as clients beside the ends of their escrows, and how much evidence there is by kind.

Revision ID: 0046_conduct_of_clients
Revises: 0045_related_organizations
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.scripts import run

revision: str = "0046_conduct_of_clients"
down_revision: str | None = "0045_related_organizations"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.create_table(
        "reputation_client_events",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("org_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("weight_e6", sa.BigInteger(), nullable=False),
        sa.Column("good_e6", sa.BigInteger(), nullable=False),
        sa.Column("bad_e6", sa.BigInteger(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "recorded_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.CheckConstraint(
            "kind IN ('payment_failed', 'charged_back', 'cancelled')", name=op.f("ck_reputation_client_events_kind")
        ),
        sa.CheckConstraint(
            "least(good_e6, bad_e6) >= 0 AND good_e6 + bad_e6 > 0", name=op.f("ck_reputation_client_events_evidence")
        ),
        sa.ForeignKeyConstraint(
            ["org_id"], ["organizations.id"], name=op.f("fk_reputation_client_events_org_id_organizations")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reputation_client_events")),
        sa.UniqueConstraint("key", name=op.f("uq_reputation_client_events_key")),
    )
    op.create_index("ix_reputation_client_events_org_id_seq", "reputation_client_events", ["org_id", "seq"])
    op.create_index("ix_contracts_payee_org_id_org_id", "contracts", ["payee_org_id", "org_id"])
    op.add_column(
        "reputation_clients",
        sa.Column("counts", postgresql.JSONB(), server_default=sa.text("'{}'::jsonb"), nullable=False),
    )
    # The first takes back what the others grant.
    for name in ("reputation", "reputation_nights", "reputation_seasoned", "reputation_boards", "reputation_recalls"):
        run(f"repositories/sql/{name}.sql")
    run("repositories/sql/organization_traits.sql")
    run("repositories/sql/reputation_client_events.sql")
    op.execute(
        """
        UPDATE reputation_clients c SET counts = found.counts
        FROM (SELECT org_id, jsonb_object_agg(kind, events) AS counts
              FROM (SELECT counterparty_org_id AS org_id, reputation_client_kind(client_bad_e6) AS kind, count(*) AS events
                    FROM reputation_events WHERE voided_at IS NULL AND client_good_e6 + client_bad_e6 > 0
                    GROUP BY 1, 2) each
              GROUP BY org_id) found
        WHERE c.org_id = found.org_id
        """
    )


def downgrade() -> None:
    op.execute("DROP FUNCTION reputation_take_client, reputation_weight, reputation_client_kind")
    op.execute("DROP POLICY payee_reads ON reputation_clients")
    op.drop_column("reputation_clients", "counts")
    op.drop_index("ix_contracts_payee_org_id_org_id", "contracts")
    op.drop_table("reputation_client_events")
