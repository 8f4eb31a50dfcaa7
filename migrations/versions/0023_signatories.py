"""Who is named as a signatory, so that a key which somebody else makes for one raises an alert.

Revision ID: 0023_signatories
Revises: 0022_access
"""

import sqlalchemy as sa
from alembic import op

from migrations.scripts import run

revision = "0023_signatories"
down_revision = "0022_access"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "signatories",
        sa.Column("org_id", sa.Text(), nullable=False),
        sa.Column("principal", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "principal", name=op.f("pk_signatories")),
    )
    run("repositories/sql/signatories.sql")
    op.execute(
        "INSERT INTO signatories (org_id, principal) "
        "SELECT DISTINCT CASE WHEN s.name LIKE '%/%' THEN split_part(s.name, '/', 1) ELSE c.org_id END, "
        "lower(regexp_replace(s.name, '^.*/', '')) FROM contracts c, unnest(c.signatories) AS s (name)"
    )


def downgrade() -> None:
    op.execute("DROP TRIGGER write_signatories ON contracts")
    op.execute("DROP FUNCTION write_signatories()")
    op.drop_table("signatories")
