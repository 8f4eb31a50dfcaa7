"""What an outage of the API had not given back yet when the next one began is not lost.

Revision ID: 0213_outages_in_a_row
Revises: 0212_room_for_complaints
"""

import sqlalchemy as sa
from alembic import op

revision: str = "0213_outages_in_a_row"
down_revision: str | None = "0212_room_for_complaints"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.add_column("api_presence", sa.Column("owed", sa.Interval()))
    op.add_column("api_presence", sa.Column("owed_from", sa.DateTime(timezone=True)))


def downgrade() -> None:
    op.drop_column("api_presence", "owed_from")
    op.drop_column("api_presence", "owed")
