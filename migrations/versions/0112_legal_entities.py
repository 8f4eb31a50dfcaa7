"""Organizations are assigned to the legal entity that sells to them.

Revision ID: 0112_legal_entities
Revises: 0111_months_left_out
"""

import sqlalchemy as sa
from alembic import op

revision: str = "0112_legal_entities"
down_revision: str | None = "0111_months_left_out"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.add_column("billing_profiles", sa.Column("legal_entity", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("billing_profiles", "legal_entity")
