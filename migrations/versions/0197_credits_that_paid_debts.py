"""Lots remember how many of the credits that arrived paid a debt; what a debt took whole gets its lot.

Revision ID: 0197_credits_that_paid_debts
Revises: 0194_terms_by_final_money
"""

import sqlalchemy as sa
from alembic import op

from migrations.scripts import run

revision: str = "0197_credits_that_paid_debts"
down_revision: str | None = "0194_terms_by_final_money"
branch_labels: str | None = None
depends_on: str | None = None

#: What a payment's transfers paid of its organization's debt in credits.
_PAID = """
    SELECT e.transfer_id, d.org_id, sum(e.amount)::bigint AS minor
    FROM ledger.accounts d JOIN ledger.entries e ON e.account_id = d.id
    WHERE d.path = 'org/' || d.org_id || '/debt/CREDIT' AND d.asset = 'CREDIT'
    GROUP BY e.transfer_id, d.org_id HAVING sum(e.amount) > 0
"""


def upgrade() -> None:
    op.add_column("credit_lots", sa.Column("debt_minor", sa.BigInteger(), server_default="0", nullable=False))
    op.create_check_constraint("debt", "credit_lots", "debt_minor BETWEEN 0 AND amount_minor")
    op.execute("ALTER TABLE credit_lots DISABLE TRIGGER USER")
    op.execute(
        f"""
        UPDATE credit_lots l SET amount_minor = l.amount_minor + p.minor, debt_minor = p.minor
        FROM ({_PAID}) p WHERE p.transfer_id = l.transfer_id AND p.org_id = l.org_id
        """
    )
    op.execute(
        f"""
        INSERT INTO credit_lots (id, org_id, source, amount_minor, debt_minor, note, payment_id, paid_minor,
            paid_currency, transfer_id, created_by, command_id, created_at)
        SELECT type_id('lot', t.id), p.org_id,
            CASE WHEN e.kind IN ('received', 'purpose_gone', 'fulfilment_failed') THEN 'purchase' ELSE 'refund' END,
            p.minor, p.minor, left(m.state #>> '{{terms,description}}', 200), m.id,
            CASE WHEN e.kind = 'received' THEN paid.minor END, CASE WHEN e.kind = 'received' THEN m.currency END,
            t.id, e.actor, t.idempotency_key, e.recorded_at
        FROM ({_PAID}) p JOIN ledger.transfers t ON t.id = p.transfer_id
        JOIN payment_events e ON e.transfer_id = t.id
        JOIN payments m ON m.id = e.payment_id AND m.org_id = p.org_id AND m.purpose = 'credits'
        CROSS JOIN LATERAL (
            SELECT sum(n.amount)::bigint AS minor FROM ledger.entries n JOIN ledger.accounts a ON a.id = n.account_id
            WHERE n.transfer_id = t.id AND a.path = 'platform/deferred_revenue' AND a.asset = m.currency
        ) paid
        WHERE NOT EXISTS (SELECT FROM credit_lots l WHERE l.transfer_id = t.id)
        """
    )
    # The credits of a subscription pay a debt by a transfer of their own, right after they were granted.
    op.execute(
        f"""
        UPDATE credit_lots l SET debt_minor = p.minor
        FROM subscription_grants g, ledger.transfers t, ({_PAID}) p
        WHERE g.lot_id = l.id AND t.idempotency_key = 'subscription:' || g.subscription_id || ':debt:' || g.key
          AND p.transfer_id = t.id AND p.org_id = l.org_id
        """
    )
    op.execute("ALTER TABLE credit_lots ENABLE TRIGGER USER")
    run("repositories/sql/event_facts.sql")


def downgrade() -> None:
    op.execute("ALTER TABLE credit_lots DISABLE TRIGGER USER")
    op.execute("DELETE FROM credit_lots WHERE debt_minor = amount_minor AND source <> 'subscription'")
    op.execute("UPDATE credit_lots SET amount_minor = amount_minor - debt_minor WHERE source <> 'subscription'")
    op.execute("ALTER TABLE credit_lots ENABLE TRIGGER USER")
    op.drop_column("credit_lots", "debt_minor")
