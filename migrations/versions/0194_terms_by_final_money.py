"""Terms follow no prior and nothing good that can still be charged back.

Revision ID: 0194_terms_by_final_money
Revises: 0193_refunded_debts
"""

from alembic import op

from migrations.scripts import run

revision: str = "0194_terms_by_final_money"
down_revision: str | None = "0193_refunded_debts"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    run("repositories/sql/reputation_seasoned.sql")
    # Rows in which something good of a mostly bad event was added up.
    op.execute(
        """
        SELECT reputation_reseason(agent_id, '-infinity') FROM reputation_seasoned s WHERE EXISTS (
            SELECT FROM reputation_events e CROSS JOIN LATERAL (
                SELECT sum((value ->> 'good_e6')::bigint) AS good, sum((value ->> 'bad_e6')::bigint) AS bad
                FROM jsonb_array_elements(e.says)
            ) said
            WHERE e.agent_id = s.agent_id AND e.voided_at IS NULL AND e.excluded IS NULL AND good > 0 AND good < bad)
        """
    )


def downgrade() -> None:
    """Leave the function: it reads the same rows."""
