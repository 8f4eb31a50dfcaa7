"""What webhooks said is forgotten some time after they were handled.

Revision ID: 0151_payloads_forgotten
Revises: 0150_reversals_of_a_creator
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0151_payloads_forgotten"
down_revision: str | None = "0150_reversals_of_a_creator"
branch_labels: str | None = None
depends_on: str | None = None

_TABLE, _INDEX, _JSON = "provider_events", "ix_provider_events_payload", postgresql.JSONB()


def upgrade() -> None:
    # The index first: webhooks can be read while it is built, which they cannot once the column is altered.
    op.create_index(_INDEX, _TABLE, ["handled_at"], postgresql_where=sa.text("payload IS NOT NULL"))
    op.alter_column(_TABLE, "payload", existing_type=_JSON, nullable=True)
    op.execute(f"GRANT UPDATE (payload) ON {_TABLE} TO bursar_platform")


def downgrade() -> None:
    op.execute(f"UPDATE {_TABLE} SET payload = '{{}}' WHERE payload IS NULL")
    op.execute(f"REVOKE UPDATE (payload) ON {_TABLE} FROM bursar_platform")
    op.drop_index(_INDEX, table_name=_TABLE)
    op.alter_column(_TABLE, "payload", existing_type=_JSON, nullable=False)
