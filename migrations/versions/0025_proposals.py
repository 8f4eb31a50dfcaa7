"""Lists of contracts by their state.

Revision ID: 0025_proposals
Revises: 0024_payment_contents
"""

import sqlalchemy as sa
from alembic import op

from migrations.scripts import run

revision = "0025_proposals"
down_revision = "0024_payment_contents"
branch_labels = None
depends_on = None

ACCEPTED, NOT_ACCEPTED = "accept_by IS NULL OR accepted_at IS NOT NULL", "accept_by IS NOT NULL AND accepted_at IS NULL"
#: Name, table, columns and condition.
MADE: tuple[tuple[str, str, tuple[str, ...], str], ...] = (
    ("ix_contracts_accepted", "contracts", ("id",), ACCEPTED),
    ("ix_contracts_agent_id_accepted", "contracts", ("agent_id", "id"), ACCEPTED),
    ("ix_contracts_not_accepted", "contracts", ("id",), NOT_ACCEPTED),
    ("ix_contracts_agent_id_not_accepted", "contracts", ("agent_id", "id"), NOT_ACCEPTED),
    ("ix_contracts_accept_by", "contracts", ("accept_by",), NOT_ACCEPTED),
    ("ix_contract_parties_accepted", "contract_parties", ("org_id", "contract_id"), "accept_by IS NULL"),
    (
        "ix_contract_parties_agent_id_accepted",
        "contract_parties",
        ("org_id", "agent_id", "contract_id"),
        "accept_by IS NULL",
    ),
    ("ix_contract_parties_not_accepted", "contract_parties", ("org_id", "contract_id"), "accept_by IS NOT NULL"),
    (
        "ix_contract_parties_agent_id_not_accepted",
        "contract_parties",
        ("org_id", "agent_id", "contract_id"),
        "accept_by IS NOT NULL",
    ),
    ("ix_contract_parties_accept_by", "contract_parties", ("org_id", "accept_by"), "accept_by IS NOT NULL"),
)


def upgrade() -> None:
    run("repositories/sql/parties.sql")  # which adds the column where it is not there
    op.execute(
        "UPDATE contract_parties p SET accept_by = c.accept_by FROM contracts c "
        "WHERE c.id = p.contract_id AND c.accept_by IS NOT NULL AND c.accepted_at IS NULL"
    )
    for name, table, columns, where in MADE:
        op.create_index(name, table, list(columns), postgresql_where=sa.text(where))


def downgrade() -> None:
    """Leave the column, which belongs to the functions of 0014."""
    for name, table, _columns, _where in MADE:
        op.drop_index(name, table)
