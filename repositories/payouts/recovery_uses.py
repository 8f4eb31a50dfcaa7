"""The uses of a payment's money or credits, read from the ledger. Needs the platform's session."""

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from domain.common.money import CREDIT
from domain.marketplace.revenue_share import ALL_BPS
from domain.payouts.recovery import PaymentUse
from models.payouts.recovery import Recovery, RecoveryShare

#: How many of the payer's newest postings are searched for what the platform itself has earned of a payment.
MOST_USES = 100_000

#: The lots that a payment's credits were moved to, without the first ones.
_FAMILY = """
    family AS (
        SELECT l.*, a.path FROM ledger.lots l JOIN ledger.accounts a ON a.id = l.account_id
        WHERE l.payment_id = :payment AND l.parent_id IS NOT NULL
    ), payers AS (
        SELECT l.id, l.account_id, l.remaining, l.opened_at, l.path FROM family l WHERE l.org_id = :payer
        UNION ALL
        SELECT l.id, l.account_id, l.remaining, l.opened_at, a.path
        FROM ledger.lots l JOIN ledger.accounts a ON a.id = l.account_id
        WHERE l.id IN (SELECT root_id FROM family) AND l.org_id = :payer
    )
"""


def _moved(condition: str) -> str:
    """Return the query of the payer's newest transfers since the payment with a posting `n` that meets a condition."""
    return f"""
        SELECT DISTINCT e.transfer_id FROM (
            SELECT account_id, min(opened_at) AS since FROM payers GROUP BY account_id
        ) a, LATERAL (
            SELECT n.transfer_id FROM ledger.entries n
            WHERE n.account_id = a.account_id AND {condition} AND n.effective_at >= a.since
            ORDER BY n.version DESC LIMIT {MOST_USES}
        ) e
    """


#: Credits that agents of other organizations received, less refunds to the payer. Credits that paid a debt, were taken
#: for another loss, converted or paid out count as received. A refund of a sale that was made from other credits, or as
#: a debt, counts for the lots of the sale in proportion. `back` is the creator's part of the refund, as
#: `domain.marketplace.sale.shares_between` has it: its part of the sale less that of what is left.
_EARNED_CREDITS = text(
    f"""
    WITH {_FAMILY}, refunds AS (
        SELECT t.id AS refund, s.transfer_id AS sale,
            s.creator_minor - div(2 * s.left_minor::numeric * s.creator_bps + {ALL_BPS}, 2 * {ALL_BPS}) AS back
        FROM ({_moved("n.amount > 0")}) m
        JOIN ledger.transfers t ON t.id = m.transfer_id AND t.kind = 'marketplace.refunded'
        JOIN LATERAL (
            SELECT p.transfer_id, p.creator_minor, p.creator_bps,
                p.creator_minor + p.commission_minor - p.taken_minor AS left_minor
            FROM marketplace_purchases p
            WHERE p.id = t.reference AND p.taken_minor > 0
            UNION ALL
            SELECT u.transfer_id, u.creator_minor, u.creator_bps, u.price_minor - u.taken_minor FROM marketplace_uses u
            WHERE u.id = t.reference AND u.taken_minor > 0
        ) s ON true
    ), sold AS (
        SELECT r.sale, r.back, u.to_lot AS lot_id, sum(u.amount) AS amount, coalesce((
            SELECT sum(b.amount) FROM ledger.lot_uses b WHERE b.transfer_id = r.refund AND b.lot_id = u.to_lot
        ), 0) AS own
        FROM refunds r JOIN ledger.lot_uses u ON u.transfer_id = r.sale
        JOIN ledger.lots l ON l.id = u.to_lot JOIN ledger.accounts a ON a.id = l.account_id
        WHERE a.path LIKE 'agent/%/earnings/%'
        GROUP BY r.refund, r.sale, r.back, u.to_lot
    ), elsewhere AS (
        SELECT lot_id, sum(floor(rest * (amount - own) / nullif(left_over, 0)))::bigint AS amount FROM (
            SELECT *, back - sum(own) OVER w AS rest, sum(amount - own) OVER w AS left_over FROM sold
            WINDOW w AS (PARTITION BY sale)
        ) s WHERE rest > 0 GROUP BY lot_id
    ), returned AS (
        SELECT u.lot_id, sum(u.amount)::bigint AS amount FROM ({_moved("n.amount > 0")}) t
        JOIN ledger.lot_uses u ON u.transfer_id = t.transfer_id
        WHERE u.to_lot IN (SELECT id FROM payers) AND u.lot_id IN (SELECT id FROM family WHERE org_id <> :payer)
        GROUP BY u.lot_id
    )
    SELECT f.transfer_id, f.id::text AS source, split_part(f.path, '/', 2) AS agent_id, f.org_id, f.opened_at AS at,
        greatest(0, f.amount - coalesce(r.amount, 0) - coalesce(x.amount, 0)) AS used
    FROM family f LEFT JOIN family p ON p.id = f.parent_id LEFT JOIN returned r ON r.lot_id = f.id
    LEFT JOIN elsewhere x ON x.lot_id = f.id
    WHERE f.path LIKE 'agent/%/earnings/CREDIT' AND f.org_id <> :payer
      AND coalesce(p.path, '') NOT LIKE 'org/%/payouts/%'
    """
)
_PLATFORM_CREDITS = text(
    f"""
    WITH {_FAMILY}, spent AS (
        {_moved("n.amount < 0")}
    )
    SELECT u.transfer_id, sum(u.amount - u.returned - u.passed)::bigint AS used
    FROM spent s JOIN ledger.lot_uses u ON u.transfer_id = s.transfer_id
    WHERE u.outcome IN ('used', 'commission') AND u.lot_id IN (SELECT id FROM payers)
    GROUP BY u.transfer_id HAVING sum(u.amount - u.returned - u.passed) > 0
    """
)
_CREDITS_IN_TRANSIT = text(
    f"WITH {_FAMILY} SELECT coalesce(sum(remaining), 0)::bigint FROM payers WHERE path NOT LIKE 'agent/%'"
)
#: The uses of a balance top-up: the escrows that the balance has funded since.
CASH_ESCROWS = """
    SELECT DISTINCT x.id
    FROM ledger.accounts c
    JOIN ledger.entries e ON e.account_id = c.id AND e.amount < 0 AND e.effective_at >= p.created_at
    JOIN ledger.entries f ON f.transfer_id = e.transfer_id AND f.amount > 0
    JOIN ledger.accounts x ON x.id = f.account_id AND x.path LIKE 'escrow/%'
    WHERE p.purpose = 'balance' AND c.path = 'org/' || p.org_id || '/cash/' || p.currency AND c.asset = p.currency
"""
_MONEY = f"""
    SELECT a.id FROM payments p
    JOIN ledger.accounts a ON a.asset = :asset
        AND a.path IN ('org/' || p.org_id || '/payments/' || p.id, 'escrow/' || p.escrow_id)
    WHERE p.id = :payment
    UNION
    SELECT s.id FROM payments p, LATERAL ({CASH_ESCROWS}) s WHERE p.id = :payment
"""
_EARNED_MONEY = text(
    f"""
    SELECT e.transfer_id, a.path, a.org_id, sum(e.amount)::bigint AS used, max(e.effective_at) AS at
    FROM (SELECT DISTINCT o.transfer_id FROM ledger.entries o WHERE o.account_id IN ({_MONEY}) AND o.amount < 0) o
    JOIN ledger.entries e ON e.transfer_id = o.transfer_id AND e.amount > 0
    JOIN ledger.accounts a ON a.id = e.account_id
    WHERE a.org_id IS DISTINCT FROM :payer AND (
        a.path LIKE 'agent/%/earnings/%' OR a.path = 'platform/commission' OR a.path LIKE 'platform/revenue/%'
    )
    GROUP BY e.transfer_id, a.path, a.org_id
    """
)
_MONEY_IN_TRANSIT = text(
    f"""
    SELECT coalesce(sum(b.posted), 0)::bigint FROM ledger.balances b JOIN ledger.accounts a ON a.id = b.account_id
    WHERE b.account_id IN ({_MONEY}) AND a.path LIKE 'escrow/%'
    """
)


async def uses(session: AsyncSession, case: Recovery) -> tuple[list[PaymentUse], int]:
    """Return the uses of a payment's money or credits, and how much of them is unused.

    Earnings that recoveries of other losses have taken are left out.
    """
    found, in_transit = await _uses(session, case)
    row = RecoveryShare
    query = select(row.source, func.sum(row.taken_minor + row.owed_minor)).where(
        row.source.in_([use.source for use in found if use.source]), row.recovery_id != case.id
    )
    gone = {source: int(amount) for source, amount in await session.execute(query.group_by(row.source))}
    return [use.without(gone[use.source]) if use.source in gone else use for use in found], in_transit


async def _uses(session: AsyncSession, case: Recovery) -> tuple[list[PaymentUse], int]:
    values: dict[str, object] = {"payment": case.payment_id, "payer": case.org_id}
    if case.asset != CREDIT:
        values["asset"] = case.asset
        earnings = f"/earnings/{case.asset}"
        found = [
            PaymentUse(
                transfer_id=row.transfer_id,
                source=str(row.transfer_id),
                used_minor=row.used,
                agent_id=row.path.split("/")[1] if row.path.endswith(earnings) else None,
                org_id=row.org_id,
                at=row.at,
            )
            for row in await session.execute(_EARNED_MONEY, values)
        ]
        return found, int(await session.scalar(_MONEY_IN_TRANSIT, values) or 0)
    found = [
        PaymentUse(
            transfer_id=row.transfer_id,
            source=row.source,
            used_minor=row.used,
            agent_id=row.agent_id,
            org_id=row.org_id,
            at=row.at,
        )
        for row in await session.execute(_EARNED_CREDITS, values)
    ]
    if found:
        found += [
            PaymentUse(transfer_id=row.transfer_id, source="", used_minor=row.used)
            for row in await session.execute(_PLATFORM_CREDITS, values)
        ]
    return found, int(await session.scalar(_CREDITS_IN_TRANSIT, values) or 0)
