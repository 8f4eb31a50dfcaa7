"""What agents are offered for on the marketplace, and who has bought them; reservations that pay for them.

Revision ID: 0060_marketplace
Revises: 0059_documents
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.scripts import run

revision: str = "0060_marketplace"
down_revision: str | None = "0059_documents"
branch_labels: str | None = None
depends_on: str | None = None

_LISTED = sa.text("status = 'listed'")


def upgrade() -> None:
    op.create_table(
        "marketplace_offers",
        sa.Column("agent_id", sa.Text(), nullable=False),
        sa.Column("org_id", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("price_minor", sa.BigInteger(), nullable=True),
        sa.Column("currency", sa.Text(), nullable=True),
        sa.Column("creator_bps", sa.BigInteger(), nullable=True),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.Column("category", sa.Text(), nullable=True),
        sa.Column("words", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("changed_by", sa.Text(), nullable=False),
        *(sa.Column(name, sa.DateTime(timezone=True), nullable=False) for name in ("changed_at", "created_at")),
        sa.CheckConstraint("model IN ('free', 'one_time')", name=op.f("ck_marketplace_offers_model")),
        sa.CheckConstraint("status IN ('listed', 'retired')", name=op.f("ck_marketplace_offers_status")),
        sa.CheckConstraint(
            "num_nonnulls(price_minor, currency) = CASE model WHEN 'free' THEN 0 ELSE 2 END AND price_minor > 0",
            name=op.f("ck_marketplace_offers_price"),
        ),
        sa.CheckConstraint("creator_bps BETWEEN 0 AND 10000", name=op.f("ck_marketplace_offers_creator_bps")),
        sa.ForeignKeyConstraint(["agent_id"], ["agents.id"], name=op.f("fk_marketplace_offers_agent_id_agents")),
        sa.ForeignKeyConstraint(
            ["org_id"], ["organizations.id"], name=op.f("fk_marketplace_offers_org_id_organizations")
        ),
        sa.PrimaryKeyConstraint("agent_id", name=op.f("pk_marketplace_offers")),
    )
    for name, columns in (
        ("listed", ["agent_id"]),
        ("model", ["model", "agent_id"]),
        ("category", ["category", "agent_id"]),
        ("price", ["currency", "price_minor", "agent_id"]),
    ):
        op.create_index(f"ix_marketplace_offers_{name}", "marketplace_offers", columns, postgresql_where=_LISTED)
    op.create_index(
        "ix_marketplace_offers_words",
        "marketplace_offers",
        ["words"],
        postgresql_using="gin",
        postgresql_where=_LISTED,
    )
    op.create_table(
        "marketplace_purchases",
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("id", "org_id", "agent_id", "payee_org_id", "model")),
        sa.Column("price_minor", sa.BigInteger(), nullable=True),
        sa.Column("currency", sa.Text(), nullable=True),
        *(
            sa.Column(name, sa.BigInteger(), nullable=False)
            for name in ("creator_bps", "creator_minor", "commission_minor", "granted_minor", "taken_minor")
        ),
        sa.Column("payment_id", sa.Text(), nullable=True),
        sa.Column("spend_id", sa.Uuid(), nullable=True),
        sa.Column("transfer_id", sa.Uuid(), nullable=True),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("status", "bought_by", "command_id")),
        sa.Column("bought_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("refunded_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("refunded_by", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "status IN ('active', 'suspended', 'refunded')", name=op.f("ck_marketplace_purchases_status")
        ),
        sa.CheckConstraint(
            "num_nonnulls(price_minor, currency, transfer_id) IN (0, 3) AND num_nonnulls(payment_id, spend_id) = "
            "CASE WHEN price_minor IS NULL THEN 0 ELSE 1 END",
            name=op.f("ck_marketplace_purchases_paid"),
        ),
        sa.CheckConstraint(
            "creator_minor + commission_minor = coalesce(price_minor, 0) "
            "AND least(creator_minor, commission_minor) >= 0 AND granted_minor BETWEEN 0 AND creator_minor AND taken_minor BETWEEN 0 AND coalesce(price_minor, 0)",
            name=op.f("ck_marketplace_purchases_shares"),
        ),
        sa.CheckConstraint(
            "(refunded_at IS NOT NULL) = (status = 'refunded')", name=op.f("ck_marketplace_purchases_refunded")
        ),
        sa.ForeignKeyConstraint(["agent_id"], ["agents.id"], name=op.f("fk_marketplace_purchases_agent_id_agents")),
        *(
            sa.ForeignKeyConstraint(
                [name], ["organizations.id"], name=op.f(f"fk_marketplace_purchases_{name}_organizations")
            )
            for name in ("org_id", "payee_org_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_marketplace_purchases")),
        *(
            sa.UniqueConstraint(name, name=op.f(f"uq_marketplace_purchases_{name}"))
            for name in ("payment_id", "spend_id", "command_id")
        ),
    )
    op.create_index(
        "uq_marketplace_purchases_owned",
        "marketplace_purchases",
        ["org_id", "agent_id"],
        unique=True,
        postgresql_where=sa.text("status <> 'refunded'"),
    )
    op.create_index("ix_marketplace_purchases_org_id_id", "marketplace_purchases", ["org_id", "id"])
    op.create_index("ix_marketplace_purchases_org_id_agent_id", "marketplace_purchases", ["org_id", "agent_id"])
    run("repositories/sql/marketplace.sql")
    for name in ("spend_changes", "spend_tenants"):
        run(f"ledger/sql/{name}.sql")


def downgrade() -> None:
    # The functions stay: the release before calls them as it did.
    op.drop_table("marketplace_purchases")
    op.drop_table("marketplace_offers")
