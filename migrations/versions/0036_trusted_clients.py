"""A discount for trusted clients, as a rule that operators can end.

Revision ID: 0036_trusted_clients
Revises: 0035_reputation_nights
"""

from alembic import op

revision: str = "0036_trusted_clients"
down_revision: str | None = "0035_reputation_nights"
branch_labels: str | None = None
depends_on: str | None = None

_ID = "prl_00000000000000000000000001"


def upgrade() -> None:
    op.execute(
        f"""
        WITH counted AS (UPDATE pricing_book SET version = version + 1 RETURNING version)
        INSERT INTO pricing_rules (id, name, type, priority, stacking, terms, version, book_version, created_by, command_id)
        SELECT '{_ID}', 'trusted_client', 'reputation', 9000, 'multiply', '{{"whose": "client", "multiplier_bps": 8000,
               "from_e4": 70000, "full_e4": 90000, "least_evidence": 10}}', 1, version, 'bursar', 'default:trusted_client'
        FROM counted
        """
    )


def downgrade() -> None:
    op.execute("ALTER TABLE pricing_rules DISABLE TRIGGER refuse_delete")
    op.execute(f"DELETE FROM pricing_rules WHERE id = '{_ID}'")
    op.execute("ALTER TABLE pricing_rules ENABLE TRIGGER refuse_delete")
