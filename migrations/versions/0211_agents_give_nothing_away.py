"""Keys of agents can be given the permissions to refund and to accept terms, which their role has no more.

Revision ID: 0211_agents_give_nothing_away
Revises: 0208_stripes_where_they_are
"""

from alembic import op

revision: str = "0211_agents_give_nothing_away"
down_revision: str | None = "0208_stripes_where_they_are"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.drop_constraint(op.f("ck_api_keys_permissions"), "api_keys")
    op.create_check_constraint(
        "permissions",
        "api_keys",
        "permissions = '{}' OR role = 'agent' AND permissions <@ '{read_billing,accept,refund}'",
    )


def downgrade() -> None:
    op.execute("UPDATE api_keys SET permissions = array_remove(array_remove(permissions, 'accept'), 'refund')")
    op.drop_constraint(op.f("ck_api_keys_permissions"), "api_keys")
    op.create_check_constraint(
        "permissions", "api_keys", "permissions = '{}' OR role = 'agent' AND permissions <@ '{read_billing}'"
    )
