"""An owner's verified address still gets mails about where money goes for a while, after its channel was deleted.

Revision ID: 0187_addresses_of_owners
Revises: 0185_permissions_of_keys
"""

import sqlalchemy as sa
from alembic import op

from migrations.scripts import run

revision: str = "0187_addresses_of_owners"
down_revision: str | None = "0185_permissions_of_keys"
branch_labels: str | None = None
depends_on: str | None = None

_FORMER_NAME = "ck_notification_channels_ck_notification_channels_target"
_IN_USE = (
    "status <> 'deleted' AND (address IS NOT NULL) = (kind = 'mail') AND (hook IS NOT NULL) = (kind = 'slack')"
)

_FORGETS_ALL = """
CREATE OR REPLACE FUNCTION forget_recipient() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_principal text := lower(NEW.principal);
    v_recipient text := coalesce(NEW.org_id, 'platform') || '/' || v_principal;
BEGIN
    IF EXISTS (
        SELECT FROM public.api_keys k
        WHERE k.id <> NEW.id AND k.revoked_at IS NULL AND lower(k.principal) = v_principal
            AND (k.org_id = NEW.org_id OR k.org_id IS NULL AND NEW.org_id IS NULL)
    ) THEN
        RETURN NULL;
    END IF;
    UPDATE public.notification_channels SET status = 'deleted', address = NULL, hook = NULL, code = NULL, shown = ''
        WHERE recipient = v_recipient AND status <> 'deleted';
    DELETE FROM public.notification_preferences WHERE recipient = v_recipient;
    UPDATE public.notifications SET hidden_at = now(),
            status = CASE WHEN status IN ('queued', 'waiting') THEN 'dropped' ELSE status END,
            digest = CASE WHEN status = 'waiting' THEN NULL ELSE digest END
        WHERE recipient = v_recipient AND hidden_at IS NULL;
    RETURN NULL;
END $$
"""


def upgrade() -> None:
    op.add_column("notification_channels", sa.Column("removed_at", sa.DateTime(timezone=True), nullable=True))
    op.drop_constraint(op.f(_FORMER_NAME), "notification_channels", type_="check")
    op.create_check_constraint(
        op.f("ck_notification_channels_target"),
        "notification_channels",
        "status = 'deleted' AND num_nonnulls(hook, code) = 0 AND (address IS NULL OR removed_at IS NOT NULL) "
        f"OR {_IN_USE}",
    )
    op.create_index(
        "ix_notification_channels_removed",
        "notification_channels",
        ["removed_at"],
        postgresql_where=sa.text("status = 'deleted' AND address IS NOT NULL"),
    )
    run("repositories/sql/notifications.sql")


def downgrade() -> None:
    """Forget the addresses at once, as before."""
    op.execute(_FORGETS_ALL)
    op.execute("UPDATE notification_channels SET address = NULL WHERE status = 'deleted'")
    op.drop_index("ix_notification_channels_removed", "notification_channels")
    op.drop_constraint(op.f("ck_notification_channels_target"), "notification_channels", type_="check")
    op.create_check_constraint(
        op.f(_FORMER_NAME),
        "notification_channels",
        f"status = 'deleted' AND num_nonnulls(address, hook, code) = 0 OR {_IN_USE}",
    )
    op.drop_column("notification_channels", "removed_at")
