"""Who asked for a payment with credits is kept, for a run that goes on after the first one was lost.

Revision ID: 0156_who_asked_for_credits
Revises: 0155_all_given_back
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from migrations.scripts import run

revision: str = "0156_who_asked_for_credits"
down_revision: str | None = "0155_all_given_back"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.add_column("payment_commands", sa.Column("asked_by", JSONB(), nullable=True))
    op.execute("DROP FUNCTION IF EXISTS note_payment_command(text, text, text, bytea, jsonb)")
    run("repositories/sql/payment_commands.sql")


def downgrade() -> None:
    op.execute("DROP FUNCTION note_payment_command(text, text, text, bytea, jsonb, jsonb)")
    op.drop_column("payment_commands", "asked_by")
    op.execute(
        """
        CREATE FUNCTION note_payment_command(
            p_org text, p_command text, p_payment text, p_hash bytea, p_terms jsonb
        ) RETURNS TABLE (request_hash bytea, terms jsonb, status text)
        LANGUAGE plpgsql SECURITY INVOKER SET search_path = pg_catalog, pg_temp AS $$
        BEGIN
            IF public.bursar_org() <> p_org THEN
                RAISE EXCEPTION 'this transaction works for another organization' USING ERRCODE = 'BU004';
            END IF;
            PERFORM set_config('bursar.org_id', p_org, true);
            IF p_terms #>> '{purpose,kind}' = 'invoice' OR public.organization_status(p_org) = 'active' THEN
                INSERT INTO public.payment_commands (command_id, org_id, payment_id, request_hash, terms)
                VALUES (p_command, p_org, p_payment, p_hash, p_terms) ON CONFLICT (command_id) DO NOTHING;
            END IF;
            RETURN QUERY SELECT * FROM public.tenant_payment_command(p_org, p_command);
        END
        $$
        """
    )
    op.execute("REVOKE EXECUTE ON FUNCTION note_payment_command(text, text, text, bytea, jsonb) FROM PUBLIC")
    op.execute("GRANT EXECUTE ON FUNCTION note_payment_command(text, text, text, bytea, jsonb) TO bursar_api")
