"""Postings that prepare less: a shorter CHECK on balances, and stripes chosen before the statements.

Revision ID: 0134_cheaper_postings
Revises: 0133_stated_traits
"""

from alembic import op

from migrations.scripts import run

revision: str = "0134_cheaper_postings"
down_revision: str | None = "0133_stated_traits"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    run("ledger/sql/guards.sql")
    run("ledger/sql/post.sql")
    _check("posted - pending_out >= floor")


def downgrade() -> None:
    _check("posted - pending_out >= floor AND pending_out >= 0")
    op.execute("DROP TRIGGER check_held ON ledger.balances")
    op.execute("DROP FUNCTION ledger.refuse_negative_holds()")


def _check(condition: str) -> None:
    op.execute("ALTER TABLE ledger.balances DROP CONSTRAINT ck_balances_floor")
    op.execute(f"ALTER TABLE ledger.balances ADD CONSTRAINT ck_balances_floor CHECK ({condition})")
