"""Uses of agents that are agreed before they are paid: reserved, or reported by a usage event.

Revision ID: 0084_agreed_uses
Revises: 0083_events
"""

import sqlalchemy as sa
from alembic import op

from migrations.scripts import run

revision: str = "0084_agreed_uses"
down_revision: str | None = "0083_events"
branch_labels: str | None = None
depends_on: str | None = None

_TABLE, _CHARGES = "marketplace_agreed_uses", "usage_charges"


def upgrade() -> None:
    op.create_table(
        _TABLE,
        *(
            sa.Column(name, sa.Text(), nullable=False)
            for name in ("id", "org_id", "purchase_id", "agent_id", "payee_org_id", "meter")
        ),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in ("quantity", "unit_minor", "creator_bps")),
        sa.Column("spend_id", sa.Uuid(), nullable=True),
        sa.Column("tries", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("agreed_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "least(quantity, unit_minor) > 0 AND creator_bps BETWEEN 0 AND 10000 AND tries >= 0",
            name=op.f(f"ck_{_TABLE}_terms"),
        ),
        *(
            sa.ForeignKeyConstraint([name], [f"{table}.id"], name=op.f(f"fk_{_TABLE}_{name}_{table}"))
            for name, table in (
                ("org_id", "organizations"),
                ("payee_org_id", "organizations"),
                ("agent_id", "agents"),
                ("purchase_id", "marketplace_purchases"),
            )
        ),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{_TABLE}")),
        sa.UniqueConstraint("spend_id", name=op.f(f"uq_{_TABLE}_spend_id")),
    )
    op.add_column(_CHARGES, sa.Column("use_id", sa.Text(), nullable=True))
    op.create_foreign_key(op.f(f"fk_{_CHARGES}_use_id_{_TABLE}"), _CHARGES, _TABLE, ["use_id"], ["id"])
    is_use = sa.text("use_id IS NOT NULL")
    op.create_index(f"uq_{_CHARGES}_use_id", _CHARGES, ["use_id"], unique=True, postgresql_where=is_use)
    for name in ("spend_changes", "spend_tenants"):
        run(f"ledger/sql/{name}.sql")
    run("repositories/sql/marketplace_agreed_uses.sql")


def downgrade() -> None:
    op.drop_index(f"uq_{_CHARGES}_use_id", table_name=_CHARGES)
    op.drop_constraint(op.f(f"fk_{_CHARGES}_use_id_{_TABLE}"), _CHARGES)
    op.drop_column(_CHARGES, "use_id")
    op.drop_table(_TABLE)
