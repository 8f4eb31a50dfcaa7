"""Agents that are priced by usage: the prices of their units, and each use with its shares.

Revision ID: 0073_marketplace_uses
Revises: 0072_kept_billing
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.scripts import run

revision: str = "0073_marketplace_uses"
down_revision: str | None = "0072_kept_billing"
branch_labels: str | None = None
depends_on: str | None = None

_OFFERS, _PURCHASES, _USES = "marketplace_offers", "marketplace_purchases", "marketplace_uses"
_MODELS = "model IN ('free', 'one_time', 'monthly'{more})"
_PRICE = "num_nonnulls(price_minor, currency) = CASE {free} THEN 0 ELSE 2 END AND price_minor > 0"


def upgrade() -> None:
    for table in (_OFFERS, _PURCHASES):
        op.add_column(table, sa.Column("usage_prices", postgresql.JSONB(), nullable=True))
        op.create_check_constraint(
            op.f(f"ck_{table}_usage_prices"), table, "(usage_prices IS NOT NULL) = (model = 'usage')"
        )
    _check_offers(_MODELS.format(more=", 'usage'"), _PRICE.format(free="WHEN model IN ('free', 'usage')"))
    op.create_table(
        _USES,
        *(
            sa.Column(name, sa.Text(), nullable=False)
            for name in ("id", "org_id", "purchase_id", "agent_id", "payee_org_id", "meter")
        ),
        *(
            sa.Column(name, sa.BigInteger(), nullable=False)
            for name in (
                "quantity",
                "unit_minor",
                "price_minor",
                "creator_bps",
                "creator_minor",
                "commission_minor",
                "granted_minor",
                "taken_minor",
            )
        ),
        *(sa.Column(name, sa.Uuid(), nullable=False) for name in ("spend_id", "transfer_id")),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("refunded_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("refunded_by", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "least(quantity, unit_minor) > 0 AND price_minor = quantity * unit_minor",
            name=op.f(f"ck_{_USES}_price"),
        ),
        sa.CheckConstraint(
            "creator_minor + commission_minor = price_minor AND least(creator_minor, commission_minor) >= 0 "
            "AND granted_minor BETWEEN 0 AND creator_minor",
            name=op.f(f"ck_{_USES}_shares"),
        ),
        sa.CheckConstraint(
            "taken_minor = CASE WHEN refunded_at IS NULL THEN 0 ELSE price_minor END", name=op.f(f"ck_{_USES}_refunded")
        ),
        *(
            sa.ForeignKeyConstraint([name], [f"{table}.id"], name=op.f(f"fk_{_USES}_{name}_{table}"))
            for name, table in (
                ("org_id", "organizations"),
                ("payee_org_id", "organizations"),
                ("agent_id", "agents"),
                ("purchase_id", _PURCHASES),
            )
        ),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{_USES}")),
        sa.UniqueConstraint("spend_id", name=op.f(f"uq_{_USES}_spend_id")),
    )
    run("repositories/sql/marketplace_uses.sql")


def downgrade() -> None:
    # What is sold by usage has no place in the release before.
    op.drop_table(_USES)
    _check_offers(_MODELS.format(more=""), _PRICE.format(free="model WHEN 'free'"))
    for table in (_OFFERS, _PURCHASES):
        op.drop_constraint(op.f(f"ck_{table}_usage_prices"), table)
        op.drop_column(table, "usage_prices")


def _check_offers(models: str, price: str) -> None:
    for name, rule in (("model", models), ("price", price)):
        op.drop_constraint(op.f(f"ck_{_OFFERS}_{name}"), _OFFERS)
        op.create_check_constraint(op.f(f"ck_{_OFFERS}_{name}"), _OFFERS, rule)
