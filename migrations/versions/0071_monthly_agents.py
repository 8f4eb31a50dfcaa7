"""Agents that are sold by the month: the period that was paid, and when the next one is due.

Revision ID: 0071_monthly_agents
Revises: 0070_returned_spends
"""

import sqlalchemy as sa
from alembic import op

from migrations.scripts import run

revision: str = "0071_monthly_agents"
down_revision: str | None = "0070_returned_spends"
branch_labels: str | None = None
depends_on: str | None = None

_PURCHASES = "marketplace_purchases"


def upgrade() -> None:
    op.drop_constraint(op.f("ck_marketplace_offers_model"), "marketplace_offers")
    op.create_check_constraint(
        op.f("ck_marketplace_offers_model"), "marketplace_offers", "model IN ('free', 'one_time', 'monthly')"
    )
    for name in ("anchor_at", "ends_at", "renews_at"):
        op.add_column(_PURCHASES, sa.Column(name, sa.DateTime(timezone=True), nullable=True))
    op.add_column(_PURCHASES, sa.Column("period", sa.BigInteger(), nullable=True))
    op.add_column(_PURCHASES, sa.Column("tries", sa.BigInteger(), server_default=sa.text("0"), nullable=False))
    op.add_column(_PURCHASES, sa.Column("renewed_from", sa.Text(), nullable=True))
    op.create_unique_constraint(op.f("uq_marketplace_purchases_renewed_from"), _PURCHASES, ["renewed_from"])
    op.create_foreign_key(
        op.f("fk_marketplace_purchases_renewed_from_marketplace_purchases"),
        _PURCHASES,
        _PURCHASES,
        ["renewed_from"],
        ["id"],
    )
    op.drop_constraint(op.f("ck_marketplace_purchases_status"), _PURCHASES)
    op.create_check_constraint(
        op.f("ck_marketplace_purchases_status"), _PURCHASES, "status IN ('active', 'suspended', 'refunded', 'ended')"
    )
    op.create_check_constraint(
        op.f("ck_marketplace_purchases_period"),
        _PURCHASES,
        "num_nonnulls(anchor_at, period, ends_at) = CASE model WHEN 'monthly' THEN 3 ELSE 0 END "
        "AND (renews_at IS NULL OR status = 'active' AND model = 'monthly') AND tries >= 0",
    )
    op.drop_index("uq_marketplace_purchases_owned", _PURCHASES)
    op.create_index(
        "uq_marketplace_purchases_owned",
        _PURCHASES,
        ["org_id", "agent_id"],
        unique=True,
        postgresql_where=sa.text("status NOT IN ('refunded', 'ended')"),
    )
    op.create_index(
        "ix_marketplace_purchases_renews_at",
        _PURCHASES,
        ["renews_at"],
        postgresql_where=sa.text("renews_at IS NOT NULL"),
    )
    run("repositories/sql/marketplace.sql")


def downgrade() -> None:
    # What is sold by the month has no place in the release before.
    op.execute("REVOKE ALL ON marketplace_purchases FROM bursar_platform")
    op.execute("GRANT SELECT, INSERT ON marketplace_purchases TO bursar_platform")
    op.execute("GRANT UPDATE (status, taken_minor, refunded_at, refunded_by) ON marketplace_purchases TO bursar_platform")
    op.drop_index("ix_marketplace_purchases_renews_at", _PURCHASES)
    op.drop_index("uq_marketplace_purchases_owned", _PURCHASES)
    op.create_index(
        "uq_marketplace_purchases_owned",
        _PURCHASES,
        ["org_id", "agent_id"],
        unique=True,
        postgresql_where=sa.text("status <> 'refunded'"),
    )
    op.drop_constraint(op.f("ck_marketplace_purchases_period"), _PURCHASES)
    op.drop_constraint(op.f("ck_marketplace_purchases_status"), _PURCHASES)
    op.create_check_constraint(
        op.f("ck_marketplace_purchases_status"), _PURCHASES, "status IN ('active', 'suspended', 'refunded')"
    )
    for name in ("renewed_from", "tries", "period", "renews_at", "ends_at", "anchor_at"):
        op.drop_column(_PURCHASES, name)
    op.drop_constraint(op.f("ck_marketplace_offers_model"), "marketplace_offers")
    op.create_check_constraint(
        op.f("ck_marketplace_offers_model"), "marketplace_offers", "model IN ('free', 'one_time')"
    )
