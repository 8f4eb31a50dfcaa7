"""Mails about changed contacts are counted by the day.

Revision ID: 0141_contact_changes
Revises: 0140_charged_before_bills
"""

import sqlalchemy as sa
from alembic import op

revision: str = "0141_contact_changes"
down_revision: str | None = "0140_charged_before_bills"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    changes = sa.text("kind = 'contacts_changed'")
    op.create_index("ix_mails_contacts_changed", "mails", ["queued_at"], postgresql_where=changes)


def downgrade() -> None:
    """Count none."""
    op.drop_index("ix_mails_contacts_changed", "mails")
