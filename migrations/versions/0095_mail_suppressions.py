"""Addresses that no mail is sent to, because it came back.

Revision ID: 0095_mail_suppressions
Revises: 0094_notifications
"""

import sqlalchemy as sa
from alembic import op

from migrations.scripts import run

revision: str = "0095_mail_suppressions"
down_revision: str | None = "0094_notifications"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.create_table(
        "mail_suppressions",
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("id", "address", "status")),
        sa.Column("suppressed_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("lifted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lifted_by", sa.Text(), nullable=True),
        sa.CheckConstraint("(lifted_at IS NULL) = (lifted_by IS NULL)", name=op.f("ck_mail_suppressions_lifted")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mail_suppressions")),
    )
    op.create_index(
        "uq_mail_suppressions_address",
        "mail_suppressions",
        ["address"],
        unique=True,
        postgresql_where=sa.text("lifted_at IS NULL"),
    )
    op.create_index("ix_mail_suppressions_address", "mail_suppressions", ["address", "lifted_at"])
    run("repositories/sql/mail_suppressions.sql")


def downgrade() -> None:
    op.drop_table("mail_suppressions")
