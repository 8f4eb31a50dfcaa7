"""What was captured in part and given back in full counts as nothing in limits in money.

Revision ID: 0155_all_given_back
Revises: 0154_alerts_of_lifetimes
"""

from alembic import op

from migrations.scripts import run

revision: str = "0155_all_given_back"
down_revision: str | None = "0154_alerts_of_lifetimes"
branch_labels: str | None = None
depends_on: str | None = None


#: What spends that were captured in part and given back in full counted for above nothing.
_LEFT = """
    UPDATE ledger.counters n SET refunded = n.refunded {sign} spends.left_over
    FROM (
        SELECT u.id, sum(ledger.share_up(u.counted, s.captured, s.amount)
            - ledger.share_down(u.counted, s.captured, s.amount)) AS left_over
        FROM ledger.spends s, unnest(s.counted_in, s.counted) AS u (id, counted)
        WHERE s.org_id IN (SELECT c.org_id FROM ledger.controls c WHERE c.asset <> 'CREDIT')
            AND s.refunded = s.captured AND s.captured BETWEEN 1 AND s.amount - 1 AND u.counted <> s.amount
        GROUP BY u.id
    ) spends
    WHERE n.id = spends.id AND spends.left_over > 0
"""


def upgrade() -> None:
    _correct("+")
    run("ledger/sql/spend_changes.sql")


def downgrade() -> None:
    _correct("-")
    op.execute(
        """
        CREATE OR REPLACE FUNCTION ledger.share_returned(p_counted bigint, p_spent ledger.spends) RETURNS bigint
        LANGUAGE sql IMMUTABLE PARALLEL SAFE
        RETURN ledger.share_down(p_counted, (p_spent).refunded, (p_spent).amount)
        """
    )


def _correct(sign: str) -> None:
    # Whoever counts waits: a refund that commits after the spends were read would be counted in the other way.
    op.execute("LOCK TABLE ledger.counters IN SHARE ROW EXCLUSIVE MODE")
    op.execute(_LEFT.format(sign=sign))
