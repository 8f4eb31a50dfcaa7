"""Events of contracts, projects, invoices and lots with the id that their organization gave the subject.

Revision ID: 0100_events_with_external_ids
Revises: 0099_lists
"""

from alembic import op

from migrations.scripts import run

revision: str = "0100_events_with_external_ids"
down_revision: str | None = "0099_lists"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    run("repositories/sql/metadata.sql")
    run("repositories/sql/event_facts.sql")


def downgrade() -> None:
    op.execute("DROP TRIGGER fill_external_id ON events")
    op.execute("DROP FUNCTION fill_external_id()")
    op.execute("DROP FUNCTION lock_contract(text)")
    op.execute("DROP FUNCTION tenant_metadata(text, text)")
