"""Age of the oldest due item of each batch, in one statement."""

from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncpg

# Each part reads one index row, whatever the number of due items; charges read one row for each organization.
_BATCHES = {
    "alert-rules": "SELECT due_at FROM alert_rules WHERE due_at IS NOT NULL ORDER BY due_at LIMIT 1",
    "hold-expiry": """
        SELECT h.expires_at FROM ledger.holds h WHERE h.status = 'pending' AND h.expires_at <= now()
        ORDER BY h.expires_at LIMIT 1
    """,
    "lot-expiry": """
        SELECT l.expires_at FROM ledger.lots l
        WHERE l.is_open AND l.lapses AND l.expires_at <= now() AND l.amount > 0 AND l.remaining > l.held
        ORDER BY l.expires_at LIMIT 1
    """,
    "revenue-recognition": """
        SELECT uuid_extract_timestamp(least(
            (SELECT u.transfer_id FROM ledger.lot_uses u WHERE u.transfer_id > p.booked ORDER BY 1 LIMIT 1),
            (SELECT r.transfer_id FROM ledger.lot_returns r WHERE r.transfer_id > p.booked ORDER BY 1 LIMIT 1)
        )) FROM ledger.revenue_place p
    """,
    "accounting-days": """
        SELECT uuid_extract_timestamp((SELECT t.id FROM ledger.transfers t WHERE t.id > p.summed ORDER BY 1 LIMIT 1))
        FROM ledger.accounting_place p
    """,
    "subscription-accrual": """
        SELECT (b.accrued_on + 2)::timestamp AT TIME ZONE 'UTC' FROM subscription_bills b
        WHERE b.granted_minor + b.accrued_minor + b.credited_minor < b.amount_minor
            AND NOT (
                b.accrued_minor >= b.amount_minor - b.for_credits_minor - b.credited_minor
                AND b.settled_at IS NULL AND EXISTS (
                    SELECT FROM invoices i WHERE i.id = b.invoice_id AND i.status = 'open'
                ))
        ORDER BY b.accrued_on LIMIT 1
    """,
    "usage-charges": """
        WITH RECURSIVE place AS (
            (SELECT c.org_id, c.due_at FROM usage_charges c
             WHERE c.spend_id IS NULL AND c.voided_at IS NULL ORDER BY 1, 2 LIMIT 1)
            UNION ALL
            SELECT n.* FROM place p CROSS JOIN LATERAL (
                SELECT c.org_id, c.due_at FROM usage_charges c
                WHERE c.spend_id IS NULL AND c.voided_at IS NULL AND c.org_id > p.org_id ORDER BY 1, 2 LIMIT 1
            ) n
        )
        SELECT min(due_at) FROM place WHERE due_at <= now()
    """,
}
# The night of a date is complete once the priors of the next date are closed.
_NIGHT = """
    SELECT coalesce(max(p.day), (SELECT min(e.day) + 1 FROM reputation_events e))::timestamp AT TIME ZONE 'UTC'
    FROM reputation_priors p
"""


async def oldest_due(pool: "asyncpg.Pool[asyncpg.Record]", *, nights: bool = True) -> dict[str, datetime | None]:
    """Return the due time of the oldest item of each batch, by workflow; None if nothing is due.

    Args:
        pool: with the platform's role.
        nights: whether the nightly run of reputation is enabled.
    """
    asked = _BATCHES | ({"reputation-decay": _NIGHT} if nights else {})
    values = ", ".join(f"('{name}', ({query}))" for name, query in asked.items())
    rows = await pool.fetch(f"SELECT name, CASE WHEN at <= now() THEN at END AS at FROM (VALUES {values}) v (name, at)")
    return {row["name"]: row["at"] for row in rows}
