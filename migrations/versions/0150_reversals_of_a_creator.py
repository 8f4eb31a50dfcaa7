"""Transfers to a creator that were reversed are found by its organization, whose statements they correct.

Revision ID: 0150_reversals_of_a_creator
Revises: 0149_found_controls
"""

import sqlalchemy as sa
from alembic import op

revision: str = "0150_reversals_of_a_creator"
down_revision: str | None = "0149_found_controls"
branch_labels: str | None = None
depends_on: str | None = None

_INDEX, _TABLE = "ix_transfer_reversals_org_id", "transfer_reversals"


def upgrade() -> None:
    op.create_index(_INDEX, _TABLE, ["org_id"], postgresql_where=sa.text("status = 'reversed'"))


def downgrade() -> None:
    op.drop_index(_INDEX, table_name=_TABLE)
