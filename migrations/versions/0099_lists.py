"""Payouts and the audit trail are listed by their time.

Revision ID: 0099_lists
Revises: 0098_notification_defaults
"""

import sqlalchemy as sa
from alembic import op

revision: str = "0099_lists"
down_revision: str | None = "0098_notification_defaults"
branch_labels: str | None = None
depends_on: str | None = None

_ADDED = {
    "payouts": (
        ("created_at", "id"),
        ("org_id", "created_at", "id"),
        ("status", "created_at", "id"),
        ("org_id", "status", "created_at", "id"),
    ),
    "audit_log": (("org_id", "at"),),
}


def upgrade() -> None:
    for table, indexes in _ADDED.items():
        for columns in indexes:
            op.create_index(f"ix_{table}_{'_'.join(columns)}", table, list(columns))
    op.create_index("ix_audit_log_at", "audit_log", [sa.text("timezone('UTC'::text, at)")])
    op.drop_index("ix_payouts_org_id_id", "payouts")


def downgrade() -> None:
    op.create_index("ix_payouts_org_id_id", "payouts", ["org_id", "id"])
    op.drop_index("ix_audit_log_at", "audit_log")
    for table, indexes in _ADDED.items():
        for columns in indexes:
            op.drop_index(f"ix_{table}_{'_'.join(columns)}", table)
