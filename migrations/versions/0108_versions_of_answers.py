"""Answers that are kept have the version of what they show.

Revision ID: 0108_versions_of_answers
Revises: 0103_sessions
"""

import sqlalchemy as sa
from alembic import op

from migrations.scripts import run

revision: str = "0108_versions_of_answers"
down_revision: str | None = "0103_sessions"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.add_column("idempotency_keys", sa.Column("version", sa.BigInteger(), nullable=True))
    run("repositories/sql/idempotency_versions.sql")
    op.execute("GRANT UPDATE (visibility) ON agents TO bursar_platform")


def downgrade() -> None:
    op.execute("REVOKE UPDATE (visibility) ON agents FROM bursar_platform")
    op.execute(
        "DROP FUNCTION idempotency_finish(text, text, text, integer, text, bytea, bigint), idempotency_version(text, text)"
    )
    op.drop_column("idempotency_keys", "version")
