"""Keys and sessions of an auditor of the platform.

Revision ID: 0116_platform_auditor
Revises: 0110_lists_by_status
"""

from alembic import op

revision: str = "0116_platform_auditor"
down_revision: str | None = "0110_lists_by_status"
branch_labels: str | None = None
depends_on: str | None = None

_BEFORE = "('operator', 'arbiter', 'validator', 'accountant')"
_SINCE = "('operator', 'arbiter', 'validator', 'accountant', 'platform_auditor')"


def _roles(roles: str) -> None:
    for table, name, condition in (
        ("api_keys", "platform_roles", f"(org_id IS NULL) = (role IN {roles})"),
        ("sessions", "platform_roles", f"(org_id IS NULL) = (role IN {roles})"),
        ("session_links", "tenant_roles", f"role NOT IN {roles}"),
    ):
        constraint = op.f(f"ck_{table}_{name}")
        op.drop_constraint(constraint, table, type_="check")
        op.create_check_constraint(constraint, table, condition)


def upgrade() -> None:
    _roles(_SINCE)


def downgrade() -> None:
    op.execute("DELETE FROM sessions WHERE role = 'platform_auditor'")
    op.execute(
        "UPDATE api_keys SET revoked_at = coalesce(revoked_at, now()), role = 'validator' WHERE role = 'platform_auditor'"
    )
    _roles(_BEFORE)
