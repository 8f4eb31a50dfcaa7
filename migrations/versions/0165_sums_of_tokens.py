"""Sums of tokens by day hold whatever events add up to.

Changing the type rewrites the table: recording events and reading usage wait for it.

Revision ID: 0165_sums_of_tokens
Revises: 0164_undiscounted_commission
"""

import sqlalchemy as sa
from alembic import op

revision: str = "0165_sums_of_tokens"
down_revision: str | None = "0164_undiscounted_commission"
branch_labels: str | None = None
depends_on: str | None = None

_SUMS = ("input_tokens", "output_tokens", "cached_tokens", "reasoning_tokens")


def upgrade() -> None:
    _become("numeric(38, 0)")


def downgrade() -> None:
    _become("bigint")


def _become(type_: str) -> None:
    # In one statement, so that the table is rewritten once.
    changes = ", ".join(f"ALTER COLUMN {name} TYPE {type_}" for name in _SUMS)
    op.execute(sa.text(f"ALTER TABLE usage_days {changes}"))
