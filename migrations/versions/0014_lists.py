"""Lists that end with their page: parties of contracts and escrows, and an index for each way that a list is narrowed.

Revision ID: 0014_lists
Revises: 0013_acceptance
"""

import sqlalchemy as sa
from alembic import op

from migrations.scripts import run

revision = "0014_lists"
down_revision = "0013_acceptance"
branch_labels = None
depends_on = None

OPEN, ACTIVE, PUBLIC = "acknowledged_at IS NULL", "revoked_at IS NULL", "visibility = 'public'"
ELSEWHERE = "org_id IS DISTINCT FROM actor_org_id"
#: Name, table, columns and condition.
MADE: tuple[tuple[str, str, tuple[str, ...], str | None], ...] = (
    ("ix_contracts_agent_id_id", "contracts", ("agent_id", "id"), None),
    ("ix_payments_org_id_status_purpose_id", "payments", ("org_id", "status", "purpose", "id"), None),
    ("ix_payments_status_purpose_id", "payments", ("status", "purpose", "id"), None),
    ("ix_payment_disputes_opened_at_id", "payment_disputes", ("opened_at", "id"), None),
    ("ix_payment_disputes_org_id_opened_at_id", "payment_disputes", ("org_id", "opened_at", "id"), None),
    ("ix_payment_disputes_status_opened_at_id", "payment_disputes", ("status", "opened_at", "id"), None),
    (
        "ix_payment_disputes_org_id_status_opened_at_id",
        "payment_disputes",
        ("org_id", "status", "opened_at", "id"),
        None,
    ),
    ("ix_invoices_org_id_status_id", "invoices", ("org_id", "status", "id"), None),
    ("ix_audit_log_action_id", "audit_log", ("action", "id"), None),
    ("ix_audit_log_target_id", "audit_log", ("target", "id"), None),
    ("ix_audit_log_org_id_action_id", "audit_log", ("org_id", "action", "id"), None),
    ("ix_audit_log_org_id_target_id", "audit_log", ("org_id", "target", "id"), None),
    ("ix_audit_log_actor_org_id", "audit_log", ("actor_org_id", "id"), ELSEWHERE),
    ("ix_audit_log_actor_org_id_action_id", "audit_log", ("actor_org_id", "action", "id"), ELSEWHERE),
    ("ix_audit_log_actor_org_id_target_id", "audit_log", ("actor_org_id", "target", "id"), ELSEWHERE),
    ("ix_agents_public", "agents", ("id",), PUBLIC),
    ("ix_agents_org_id_public", "agents", ("org_id", "id"), PUBLIC),
    ("ix_alerts_org_id_id", "alerts", ("org_id", "id"), None),
    ("ix_alerts_org_id_open", "alerts", ("org_id", "id"), OPEN),
    ("ix_credit_lots_org_id_id", "credit_lots", ("org_id", "id"), None),
    ("ix_api_keys_active", "api_keys", ("id",), ACTIVE),
    ("ix_api_keys_org_id_active", "api_keys", ("org_id", "id"), ACTIVE),
    ("ix_reconciliation_runs_started_at_id", "reconciliation_runs", ("started_at", "id"), None),
    ("ix_reconciliation_runs_provider_started_at_id", "reconciliation_runs", ("provider", "started_at", "id"), None),
    ("ix_reconciliation_differences_status_id", "reconciliation_differences", ("status", "id"), None),
    (
        "ix_reconciliation_differences_provider_status_id",
        "reconciliation_differences",
        ("provider", "status", "id"),
        None,
    ),
)
#: What one of the above, or the parties, serve better. Name, table, columns, condition and kind.
DROPPED: tuple[tuple[str, str, tuple[str, ...], str | None, str], ...] = (
    ("ix_contracts_org_id", "contracts", ("org_id", "id"), None, "btree"),
    ("ix_contracts_payee_org_id", "contracts", ("payee_org_id", "id"), None, "btree"),
    ("ix_contracts_signatory_org_ids", "contracts", ("signatory_org_ids",), None, "gin"),
    ("ix_escrows_org_id_id", "escrows", ("org_id", "id"), None, "btree"),
    ("ix_escrows_payee_org_id_id", "escrows", ("payee_org_id", "id"), None, "btree"),
    ("ix_escrows_signatory_org_ids", "escrows", ("signatory_org_ids",), None, "gin"),
    ("ix_payments_status_id", "payments", ("status", "id"), None, "btree"),
    ("ix_payment_disputes_org_id_id", "payment_disputes", ("org_id", "id"), None, "btree"),
    ("ix_audit_log_actor_org_id", "audit_log", ("actor_org_id", "id"), None, "btree"),
    ("ix_reconciliation_differences_open", "reconciliation_differences", ("provider", "id"), "status = 'open'", "btree"),
)


def upgrade() -> None:
    op.create_table(
        "contract_parties",
        sa.Column("org_id", sa.Text(), nullable=False),
        sa.Column("contract_id", sa.Text(), nullable=False),
        sa.Column("agent_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "contract_id", name=op.f("pk_contract_parties")),
    )
    op.create_table(
        "escrow_parties",
        sa.Column("org_id", sa.Text(), nullable=False),
        sa.Column("escrow_id", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "escrow_id", name=op.f("pk_escrow_parties")),
    )
    run("repositories/sql/parties.sql")
    op.execute(
        "INSERT INTO contract_parties (org_id, contract_id, agent_id) SELECT DISTINCT p.org_id, c.id, c.agent_id "
        "FROM contracts c, unnest(c.signatory_org_ids || c.org_id || c.payee_org_id) AS p (org_id)"
    )
    op.execute(
        "INSERT INTO escrow_parties (org_id, escrow_id, status) SELECT DISTINCT p.org_id, e.id, e.status "
        "FROM escrows e, unnest(e.signatory_org_ids || e.org_id || e.payee_org_id) AS p (org_id)"
    )
    op.create_index(
        "ix_contract_parties_org_id_agent_id_contract_id", "contract_parties", ["org_id", "agent_id", "contract_id"]
    )
    op.create_index("ix_escrow_parties_org_id_status_escrow_id", "escrow_parties", ["org_id", "status", "escrow_id"])
    for name, table, _columns, _where, _using in DROPPED:
        op.drop_index(name, table)
    for name, table, columns, where in MADE:
        op.create_index(name, table, list(columns), postgresql_where=None if where is None else sa.text(where))


def downgrade() -> None:
    for name, table, _columns, _where in MADE:
        op.drop_index(name, table)
    for name, table, columns, where, using in DROPPED:
        condition = None if where is None else sa.text(where)
        op.create_index(name, table, list(columns), postgresql_where=condition, postgresql_using=using)
    op.execute("DROP TRIGGER write_parties ON contracts")
    op.execute("DROP TRIGGER update_parties ON contracts")
    op.execute("DROP TRIGGER write_parties ON escrows")
    op.execute("DROP TRIGGER update_parties ON escrows")
    op.execute("DROP FUNCTION write_contract_parties(), write_escrow_parties()")
    for table in ("escrow_parties", "contract_parties"):
        op.drop_table(table)
