"""Functions that read a payment, and what its command asked for, in one round trip.

Revision ID: 0021_payment_reads
Revises: 0020_credit_days
"""

from alembic import op

from migrations.scripts import run

revision: str = "0021_payment_reads"
down_revision: str | None = "0020_credit_days"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    run("repositories/sql/payments.sql")
    run("repositories/sql/payment_commands.sql")


def downgrade() -> None:
    op.execute("DROP FUNCTION note_payment_command, tenant_payment_command, tenant_payment")
