"""Webhooks that are stored without the client secrets which they brought.

Revision ID: 0020_client_secrets
Revises: 0019_key_places
"""

from alembic import op

revision = "0020_client_secrets"
down_revision = "0019_key_places"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        "UPDATE provider_events SET payload = payload #- '{data,object,client_secret}'"
        " WHERE payload #> '{data,object}' ? 'client_secret'"
    )


def downgrade() -> None:
    """What was forgotten stays so."""
