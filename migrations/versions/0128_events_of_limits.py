"""Events of spend controls and of contracts that nobody accepted in time, and ids of organizations in scores.

Revision ID: 0128_events_of_limits
Revises: 0127_cheaper_events
"""

import sqlalchemy as sa
from alembic import op

from migrations.scripts import run

revision: str = "0128_events_of_limits"
down_revision: str | None = "0127_cheaper_events"
branch_labels: str | None = None
depends_on: str | None = None

_NOT_ACCEPTED = "accept_by IS NOT NULL AND accepted_at IS NULL"
_EXPIRED = "expired_at IS NULL OR (accept_by IS NOT NULL AND accept_by <= expired_at AND accepted_at IS NULL)"


def upgrade() -> None:
    op.add_column("contracts", sa.Column("expired_at", sa.DateTime(timezone=True), nullable=True))
    op.create_check_constraint(op.f("ck_contracts_expired"), "contracts", _EXPIRED)
    run("repositories/sql/contracts.sql")
    # Before its trigger is there: nobody hears today of what has expired long ago.
    op.execute(f"UPDATE contracts SET expired_at = now() WHERE {_NOT_ACCEPTED} AND accept_by <= now()")
    op.create_index(
        "ix_contracts_proposed",
        "contracts",
        ["accept_by"],
        postgresql_where=sa.text(f"{_NOT_ACCEPTED} AND expired_at IS NULL"),
    )
    run("ledger/sql/control_locks.sql")
    run("repositories/sql/event_facts.sql")


def downgrade() -> None:
    op.execute("DROP FUNCTION ledger.lock_controls(uuid[])")
    op.execute("DROP TRIGGER tell_expired ON contracts")
    op.drop_index("ix_contracts_proposed", "contracts")
    op.drop_constraint(op.f("ck_contracts_expired"), "contracts")
    op.drop_column("contracts", "expired_at")
