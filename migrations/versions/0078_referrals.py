"""Who has referred which organization, and what both were granted for it.

Revision ID: 0078_referrals
Revises: 0077_trials_by_page
"""

import sqlalchemy as sa
from alembic import op

from migrations.scripts import run

revision: str = "0078_referrals"
down_revision: str | None = "0077_trials_by_page"
branch_labels: str | None = None
depends_on: str | None = None

_TABLE = "referrals"


def upgrade() -> None:
    op.create_table(
        _TABLE,
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("org_id", "referrer_org_id", "status")),
        *(sa.Column(name, sa.Text(), nullable=True) for name in ("reason", "payment_id")),
        *(
            sa.Column(name, sa.BigInteger(), server_default=sa.text("0"), nullable=False)
            for name in ("referrer_minor", "referred_minor")
        ),
        *(sa.Column(name, sa.Text(), nullable=True) for name in ("referrer_lot", "referred_lot")),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        *(
            sa.Column(name, sa.DateTime(timezone=True), nullable=True)
            for name in ("decided_at", "taken_back_at", "next_at")
        ),
        sa.CheckConstraint("org_id <> referrer_org_id", name=op.f(f"ck_{_TABLE}_other")),
        sa.CheckConstraint(
            "status IN ('waiting', 'rewarded', 'refused', 'taken_back')", name=op.f(f"ck_{_TABLE}_status")
        ),
        sa.CheckConstraint(
            "(payment_id IS NOT NULL) = (status IN ('rewarded', 'taken_back')) "
            "AND (decided_at IS NULL) = (status = 'waiting') AND least(referrer_minor, referred_minor) >= 0 "
            "AND (referrer_lot IS NOT NULL) = (referrer_minor > 0) "
            "AND (referred_lot IS NOT NULL) = (referred_minor > 0)",
            name=op.f(f"ck_{_TABLE}_rewards"),
        ),
        *(
            sa.ForeignKeyConstraint([name], [f"{table}.id"], name=op.f(f"fk_{_TABLE}_{name}_{table}"))
            for name, table in (
                ("org_id", "organizations"),
                ("referrer_org_id", "organizations"),
                ("payment_id", "payments"),
                ("referrer_lot", "credit_lots"),
                ("referred_lot", "credit_lots"),
            )
        ),
        sa.PrimaryKeyConstraint("org_id", name=op.f(f"pk_{_TABLE}")),
        sa.UniqueConstraint("payment_id", name=op.f(f"uq_{_TABLE}_payment_id")),
    )
    op.create_index(f"ix_{_TABLE}_next_at", _TABLE, ["next_at"], postgresql_where=sa.text("next_at IS NOT NULL"))
    op.create_index(f"ix_{_TABLE}_referrer_org_id", _TABLE, ["referrer_org_id", "org_id"])
    run("repositories/sql/referrals.sql")


def downgrade() -> None:
    op.drop_table(_TABLE)
