"""Claims of idempotency keys that refuse a transaction of another organization.

Revision ID: 0016_claims
Revises: 0015_holds
"""

from migrations.scripts import run

revision = "0016_claims"
down_revision = "0015_holds"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run("repositories/sql/idempotency.sql")


def downgrade() -> None:
    """The functions of before are not kept: those of now do the same for whoever asks for their own."""
