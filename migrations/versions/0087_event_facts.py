"""Tables that tell by themselves what became of their rows.

Revision ID: 0087_event_facts
Revises: 0086_creator_corrections
"""

from alembic import op

from migrations.scripts import run

revision: str = "0087_event_facts"
down_revision: str | None = "0086_creator_corrections"
branch_labels: str | None = None
depends_on: str | None = None

_FUNCTIONS = (
    *("tell_invoice()", "tell_credit_note()", "tell_purchase()", "tell_project()", "tell_contract()", "tell_alert()"),
    *("tell_lot()", "tell_expired_lot()", "tell_spend()", "tell_scores()"),
    *("tell(text, text, text, timestamptz, jsonb)", "amount_text(bigint, text)"),
)


def upgrade() -> None:
    run("repositories/sql/events.sql")
    run("repositories/sql/event_facts.sql")


def downgrade() -> None:
    for function in _FUNCTIONS:
        op.execute(f"DROP FUNCTION {function} CASCADE")
