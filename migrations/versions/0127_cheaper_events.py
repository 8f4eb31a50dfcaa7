"""Events whose ids are written by one expression, and external ids by the statement that records the event.

Revision ID: 0127_cheaper_events
Revises: 0126_earning_days
"""

from alembic import op

from migrations.scripts import run

revision: str = "0127_cheaper_events"
down_revision: str | None = "0126_earning_days"
branch_labels: str | None = None
depends_on: str | None = None

#: What recorded events had their subject's id from before.
_FILL = (
    """
    CREATE FUNCTION fill_external_id() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    BEGIN
        NEW.data := NEW.data || jsonb_build_object('external_id', (
            SELECT m.external_id FROM public.object_metadata m
            WHERE m.object_id = NEW.subject AND m.org_id = NEW.org_id));
        RETURN NEW;
    END $$
    """,
    """
    CREATE TRIGGER fill_external_id BEFORE INSERT ON events FOR EACH ROW
    WHEN (NEW.data -> 'external_id' = 'null') EXECUTE FUNCTION fill_external_id()
    """,
    "REVOKE ALL ON FUNCTION fill_external_id() FROM PUBLIC",
)


def upgrade() -> None:
    run("repositories/sql/events.sql")
    run("repositories/sql/event_facts.sql")
    op.execute("DROP TRIGGER IF EXISTS fill_external_id ON events")
    op.execute("DROP FUNCTION IF EXISTS fill_external_id()")


def downgrade() -> None:
    for statement in _FILL:
        op.execute(statement)
