"""A freeze of a spend control holds until it is lifted, also outside the control's term.

Revision ID: 0174_freezes_hold
Revises: 0173_evidence_by_weight
"""

from migrations.scripts import run

revision: str = "0174_freezes_hold"
down_revision: str | None = "0173_evidence_by_weight"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    run("ledger/sql/controls.sql")
    run("ledger/sql/spend_quick.sql")


def downgrade() -> None:
    """Leave the functions: they refuse what is frozen."""
