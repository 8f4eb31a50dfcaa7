"""Statements about what creators give back of payments that were taken back. Needs the platform's session."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from domain.ids import recovery_id_of
from domain.money import CREDIT
from domain.recovery import Priced, Sent, Use
from ledger.invariants import Invariant
from models.recovery import Recovery, RecoveryShare, TransferReversal
from repositories.together import Writes

#: So many lots, or accounts, are taken from at most for one share: it is one transaction.
MOST_TAKEN = 1_000
#: So many of the payer's newest postings are looked through for what the platform itself earned of a payment.
MOST_USES = 100_000

#: The lots that a payment's credits have become, the first ones left out.
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
    """Return the payer's newest transfers since it had the payment, of which a posting `n` meets a condition."""
    return f"""
        SELECT DISTINCT e.transfer_id FROM (
            SELECT account_id, min(opened_at) AS since FROM payers GROUP BY account_id
        ) a, LATERAL (
            SELECT n.transfer_id FROM ledger.entries n
            WHERE n.account_id = a.account_id AND {condition} AND n.effective_at >= a.since
            ORDER BY n.version DESC LIMIT {MOST_USES}
        ) e
    """


#: What arrived at agents of others, less what they gave back to the payer. The rest they had, whatever became of it:
#: what paid a debt of theirs or was taken for another loss as much as what was converted or paid out. What a sale gave
#: back out of other credits, or as a debt, because its own were gone, counts for its lots by their parts.
_EARNED_CREDITS = text(
    f"""
    WITH {_FAMILY}, refunds AS (
        SELECT t.id AS refund, s.transfer_id AS sale, s.creator_minor * s.taken_minor / s.price_minor AS back
        FROM ({_moved("n.amount > 0")}) m
        JOIN ledger.transfers t ON t.id = m.transfer_id AND t.kind = 'marketplace.refunded'
        JOIN LATERAL (
            SELECT p.transfer_id, p.creator_minor, p.taken_minor, p.price_minor FROM marketplace_purchases p
            WHERE p.id = t.reference AND p.taken_minor > 0
            UNION ALL
            SELECT u.transfer_id, u.creator_minor, u.taken_minor, u.price_minor FROM marketplace_uses u
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
    WHERE u.to_lot IS NULL AND u.outcome = 'used' AND u.lot_id IN (SELECT id FROM payers)
    GROUP BY u.transfer_id HAVING sum(u.amount - u.returned - u.passed) > 0
    """
)
#: The price of a payment's credits: that of the lots which all of them began with.
_SALE = text(
    """
    SELECT sum(paid)::bigint AS paid, sum(amount)::bigint AS sold, min(paid_asset) AS currency FROM ledger.lots
    WHERE id IN (SELECT root_id FROM ledger.lots WHERE payment_id = :payment AND parent_id IS NOT NULL)
      AND payment_id = :payment AND source = 'purchase'
    """
)
#: What uses of lots took, at the price at which these credits were sold once. The payment's own are left out. Others
#: count as granted if they were paid in another currency, or by what was charged back itself.
_TAKEN = """
    SELECT u.amount, r.amount AS sold, CASE WHEN r.paid_asset = :currency AND NOT EXISTS (
        SELECT FROM payment_disputes d
        WHERE d.payment_id = l.payment_id AND d.status IN ('needs_response', 'under_review', 'lost')
    ) THEN r.paid ELSE 0 END AS paid
    FROM ledger.lot_uses u JOIN ledger.lots l ON l.id = u.lot_id JOIN ledger.lots r ON r.id = l.root_id
    WHERE l.payment_id IS DISTINCT FROM :payment
"""
_TAKEN_BY = text(f"{_TAKEN} AND u.transfer_id = :transfer AND u.outcome = :outcome")
#: What has paid the payer's debts in credits since, and whether a creator did for this loss.
_REPAID = """
    SELECT e.transfer_id, sum(e.amount)::bigint AS amount, EXISTS (
        SELECT FROM recovery_shares s WHERE s.recovery_id = :recovery AND s.transfer_id = e.transfer_id
    ) AS by_creator
    FROM ledger.accounts a JOIN ledger.entries e ON e.account_id = a.id AND e.amount > 0 AND e.effective_at >= :since
    WHERE a.path = 'org/' || :payer || '/debt/' || :asset AND a.asset = :asset
    GROUP BY e.transfer_id
"""
_REPAID_BY_CREATORS = text(f"SELECT coalesce(sum(amount), 0)::bigint FROM ({_REPAID}) p WHERE by_creator")
_REPAID_BY_OTHERS = text(
    f"{_TAKEN} AND u.to_lot IS NULL AND u.outcome = 'used' "
    f"AND u.transfer_id IN (SELECT transfer_id FROM ({_REPAID}) p WHERE NOT by_creator)"
)
_CREDITS_IN_TRANSIT = text(
    f"WITH {_FAMILY} SELECT coalesce(sum(remaining), 0)::bigint FROM payers WHERE path NOT LIKE 'agent/%'"
)
#: What a top-up of a balance may have paid: the escrows that the balance has funded since.
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
#: What can be taken from a creator: what the payment paid first, then the agent's youngest earnings, then the others'.
_LOTS = text(
    f"""
    SELECT l.id, g.id AS agent_id, l.remaining - l.held AS free
    FROM agents g JOIN ledger.accounts a ON a.path = 'agent/' || g.id || '/earnings/CREDIT' AND a.asset = 'CREDIT'
    JOIN ledger.lots l ON l.account_id = a.id AND l.is_open AND l.remaining > l.held
    WHERE g.org_id = :org_id
    ORDER BY l.id::text = :source DESC, g.id = :agent_id DESC, l.opened_at DESC, l.id DESC LIMIT {MOST_TAKEN}
    """
)
_ACCOUNTS = text(
    f"""
    SELECT g.id AS agent_id, (b.posted - b.pending_out)::bigint AS free
    FROM agents g JOIN ledger.accounts a ON a.path = 'agent/' || g.id || '/earnings/' || :asset AND a.asset = :asset
    JOIN ledger.balances b ON b.account_id = a.id AND b.posted > b.pending_out
    WHERE g.org_id = :org_id ORDER BY g.id = :agent_id DESC, 2 DESC, g.id LIMIT {MOST_TAKEN}
    """
)
#: A payout `p` of which a share has no reversal yet: there is never a second one, whatever became of the first.
_NOT_REVERSED = """NOT EXISTS (
    SELECT FROM transfer_reversals v WHERE v.payout_id = p.id AND v.recovery_id = :recovery AND v.source = :source
)"""
#: Payouts that were sent with what a payment had paid, the newest first.
_SENT_CREDITS = text(
    f"""
    SELECT p.id, p.amount_minor - coalesce(r.money, 0) AS left, l.amount - coalesce(r.goods, 0) AS goods,
        l.paid - coalesce(r.paid, 0) AS money
    FROM ledger.lots l JOIN ledger.accounts a ON a.id = l.account_id
    JOIN payouts p ON a.path = 'org/' || p.org_id || '/payouts/' || p.id AND p.status = 'paid'
    LEFT JOIN LATERAL (
        SELECT sum(amount_minor) AS money, sum(goods_minor) FILTER (WHERE source = :source) AS goods,
            sum(amount_minor) FILTER (WHERE source = :source) AS paid
        FROM transfer_reversals WHERE payout_id = p.id AND status IN ('requested', 'reversed')
    ) r ON true
    WHERE l.payment_id = :payment AND l.parent_id = CAST(:source AS uuid) AND {_NOT_REVERSED}
    ORDER BY p.created_at DESC, p.id DESC
    """
)
_SENT_MONEY = text(
    f"""
    SELECT p.id, p.amount_minor - coalesce(r.money, 0) AS left, p.goods - coalesce(r.goods, 0) AS goods,
        p.goods - coalesce(r.goods, 0) AS money
    FROM (
        SELECT p.id, p.amount_minor, p.created_at, sum((l.line ->> 'money_minor')::bigint)::bigint AS goods
        FROM payouts p, jsonb_array_elements(p.state -> 'lines') AS l (line)
        WHERE p.org_id = :org_id AND p.status = 'paid' AND p.currency = :asset AND l.line ->> 'asset' = :asset
          AND {_NOT_REVERSED}
        GROUP BY p.id ORDER BY p.created_at DESC, p.id DESC LIMIT 100
    ) p LEFT JOIN LATERAL (
        SELECT sum(amount_minor) AS money, sum(goods_minor) FILTER (WHERE asset = :asset) AS goods
        FROM transfer_reversals WHERE payout_id = p.id AND status IN ('requested', 'reversed')
    ) r ON true
    ORDER BY p.created_at DESC, p.id DESC
    """
)


async def begin(
    session: Writes,
    *,
    payment_id: str,
    cause: str,
    org_id: str,
    asset: str,
    owed_minor: int,
    short_minor: int,
    disputed_at: datetime,
    at: datetime,
) -> None:
    """Note that a payment was lost, and what nobody has paid for of it, once for each cause.

    Args:
        session: of the event that loses it.
        payment_id: the payment.
        cause: see `models.recovery.Recovery`.
        org_id: who paid.
        asset: what was bought.
        owed_minor: what the payer came to owe.
        short_minor: what was taken in credits for which less had been paid.
        disputed_at: decides what creators answer for.
        at: when it was lost.
    """
    await session.execute(
        insert(Recovery)
        .values(
            id=recovery_id_of(payment_id, cause),
            payment_id=payment_id,
            cause=cause,
            org_id=org_id,
            asset=asset,
            amount_minor=owed_minor + short_minor,
            short_minor=short_minor,
            disputed_at=disputed_at,
            created_at=at,
        )
        .on_conflict_do_nothing()
    )


async def open_page(session: AsyncSession, *, after: str, limit: int) -> Sequence[str]:
    """Return the ids of recoveries that are open, after an id."""
    query = select(Recovery.id).where(Recovery.closed_at.is_(None), Recovery.id > after).order_by(Recovery.id)
    return (await session.scalars(query.limit(limit))).all()


async def locked(session: AsyncSession, recovery_id: str) -> Recovery | None:
    """Return a recovery that is open, and keep others from working on it until the transaction ends."""
    query = select(Recovery).where(Recovery.id == recovery_id, Recovery.closed_at.is_(None)).with_for_update()
    return (await session.scalars(query.execution_options(populate_existing=True))).one_or_none()


async def close_of(session: AsyncSession, payment_id: str, causes: Sequence[str], *, at: datetime) -> bool:
    """Close recoveries because their money came back after all; tells whether creators gave something back for them."""
    ids = [recovery_id_of(payment_id, cause) for cause in causes]
    await session.execute(
        update(Recovery).where(Recovery.id.in_(ids), Recovery.closed_at.is_(None)).values(closed_at=at)
    )
    return bool(await session.scalar(select(func.count()).where(RecoveryShare.recovery_id.in_(ids))))


async def uses(session: AsyncSession, case: Recovery) -> tuple[list[Use], int]:
    """Return what a payment's money or credits were used for, and how much of them nobody has used yet.

    What creators have answered for because of other losses is not theirs any more.
    """
    found, in_transit = await _uses(session, case)
    row = RecoveryShare
    query = select(row.source, func.sum(row.taken_minor + row.owed_minor)).where(
        row.source.in_([use.source for use in found if use.source]), row.recovery_id != case.id
    )
    gone = {source: int(amount) for source, amount in await session.execute(query.group_by(row.source))}
    return [use.without(gone[use.source]) if use.source in gone else use for use in found], in_transit


async def _uses(session: AsyncSession, case: Recovery) -> tuple[list[Use], int]:
    values: dict[str, object] = {"payment": case.payment_id, "payer": case.org_id}
    if case.asset != CREDIT:
        values["asset"] = case.asset
        earnings = f"/earnings/{case.asset}"
        found = [
            Use(
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
        Use(
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
            Use(transfer_id=row.transfer_id, source="", used_minor=row.used)
            for row in await session.execute(_PLATFORM_CREDITS, values)
        ]
    return found, int(await session.scalar(_CREDITS_IN_TRANSIT, values) or 0)


async def sale(session: AsyncSession, payment_id: str) -> tuple[Priced, str] | None:
    """Return the price of the credits that a payment has bought, and its currency; None where none was released."""
    row = (await session.execute(_SALE, {"payment": payment_id})).one()
    if not row.sold or row.currency is None:
        return None
    return Priced(paid_minor=row.paid, sold_minor=row.sold), row.currency


async def taken_by(
    session: AsyncSession, payment_id: str, transfer_id: UUID, currency: str, *, outcome: str
) -> list[Priced]:
    """Return the credits of others that a transfer has taken for a payment, as uses of lots with the outcome."""
    values = {"payment": payment_id, "transfer": transfer_id, "currency": currency, "outcome": outcome}
    return _priced(await session.execute(_TAKEN_BY, values))


async def repaid(session: AsyncSession, case: Recovery, currency: str) -> tuple[int, list[Priced]]:
    """Return what has paid the payer's debts since: by creators for this loss, and the credits of others."""
    values: dict[str, object] = {
        "recovery": case.id,
        "payer": case.org_id,
        "asset": case.asset,
        "since": case.disputed_at,
    }
    by_creators = int(await session.scalar(_REPAID_BY_CREATORS, values) or 0)
    values |= {"payment": case.payment_id, "currency": currency}
    return by_creators, _priced(await session.execute(_REPAID_BY_OTHERS, values))


def _priced(rows: Iterable[Row[Any]]) -> list[Priced]:
    return [Priced(amount_minor=row.amount, paid_minor=row.paid, sold_minor=row.sold) for row in rows]


async def shares(session: AsyncSession, recovery_id: str) -> dict[str, int]:
    """Return for what creators have answered already, by source."""
    row = RecoveryShare
    query = select(row.source, row.taken_minor + row.owed_minor).where(row.recovery_id == recovery_id)
    return {source: int(amount) for source, amount in await session.execute(query)}


#: A share's source is the lot that was earned.
_TAKEN_OF_SALE = text(
    """
    SELECT EXISTS (
        SELECT FROM ledger.lot_uses u JOIN recovery_shares s ON s.source = u.to_lot::text
        WHERE u.transfer_id = :transfer
    )
    """
)


async def has_taken(session: AsyncSession, transfer_id: UUID) -> bool:
    """Tell whether a creator has given back for what a transfer of credits had brought to its earnings."""
    return bool(await session.scalar(_TAKEN_OF_SALE, {"transfer": transfer_id}))


async def free(
    session: AsyncSession, org_id: str, agent_id: str, asset: str, source: str
) -> list[tuple[str, UUID | None, int]]:
    """Return what can be taken of a creator's earnings, in the order in which it is: agent, lot, amount."""
    values = {"org_id": org_id, "agent_id": agent_id}
    if asset == CREDIT:
        return [(row.agent_id, row.id, row.free) for row in await session.execute(_LOTS, {**values, "source": source})]
    rows = await session.execute(_ACCOUNTS, {**values, "asset": asset})
    return [(row.agent_id, None, row.free) for row in rows]


async def sent(session: AsyncSession, case: Recovery, org_id: str, source: str) -> list[Sent]:
    """Return the payouts that have sent what a share is about, and of which it has no reversal yet."""
    share = {"recovery": case.id, "source": source}
    if case.asset == CREDIT:
        rows = await session.execute(_SENT_CREDITS, {**share, "payment": case.payment_id})
    else:
        rows = await session.execute(_SENT_MONEY, {**share, "org_id": org_id, "asset": case.asset})
    return [
        Sent(payout_id=row.id, goods_minor=row.goods, money_minor=row.money, left_minor=row.left)
        for row in rows
        if row.goods > 0 and row.money > 0 and row.left > 0
    ]


async def owed_shares(session: AsyncSession, org_id: str) -> list[tuple[Recovery, RecoveryShare, int]]:
    """Return the shares that a creator owed, each with what no reversal is to pay of it."""
    planned = (
        select(func.coalesce(func.sum(TransferReversal.goods_minor), 0))
        .where(
            TransferReversal.recovery_id == RecoveryShare.recovery_id,
            TransferReversal.source == RecoveryShare.source,
            TransferReversal.status.in_(["requested", "reversed"]),
        )
        .scalar_subquery()
    )
    left = RecoveryShare.owed_minor - planned
    found = await session.execute(
        select(Recovery, RecoveryShare, left)
        .join(Recovery, Recovery.id == RecoveryShare.recovery_id)
        .where(RecoveryShare.org_id == org_id, RecoveryShare.owed_minor > 0, left > 0)
    )
    return [(case, share, int(rest)) for case, share, rest in found]


async def due_reversals(session: AsyncSession, *, now: datetime, after: str, limit: int) -> Sequence[str]:
    """Return the ids of reversals that are to be tried or looked for, after an id."""
    query = select(TransferReversal.id).where(TransferReversal.next_at <= now, TransferReversal.id > after)
    return (await session.scalars(query.order_by(TransferReversal.id).limit(limit))).all()


async def reversal(session: AsyncSession, reversal_id: str, *, lock: bool = False) -> TransferReversal:
    """Return a reversal, locked where its row is to be changed."""
    query = select(TransferReversal).where(TransferReversal.id == reversal_id)
    if lock:
        query = query.with_for_update()
    return (await session.scalars(query.execution_options(populate_existing=True))).one()


async def reversed_of(session: AsyncSession, payout_ids: Sequence[str]) -> dict[str, int]:
    """Return what was taken back of payouts, in minor units of their currencies."""
    query = (
        select(TransferReversal.payout_id, func.sum(TransferReversal.amount_minor))
        .where(TransferReversal.payout_id.in_(payout_ids), TransferReversal.status == "reversed")
        .group_by(TransferReversal.payout_id)
    )
    return {payout_id: int(amount) for payout_id, amount in await session.execute(query)}


#: What `verify` proves about these rows.
INVARIANTS = (
    Invariant(
        name="no more is taken back of a payout than it has sent, and each reversal is one movement of its amount",
        table="public.transfer_reversals",
        unit="reversals",
        violations="""
        SELECT p.id || ': sent ' || p.amount_minor || ', taken back ' || r.amount
        FROM (
            SELECT payout_id, sum(amount_minor) AS amount FROM public.transfer_reversals
            WHERE status IN ('requested', 'reversed') GROUP BY payout_id
        ) r JOIN public.payouts p ON p.id = r.payout_id
        WHERE r.amount > p.amount_minor OR p.status <> 'paid'
        UNION ALL
        SELECT r.id || ': amount ' || r.amount_minor || ', moved ' || coalesce(m.amount_minor, 0)
        FROM public.transfer_reversals r JOIN public.payouts p ON p.id = r.payout_id
        LEFT JOIN public.payment_movements m
            ON m.provider = p.provider AND m.key = r.reversal_ref AND m.kind = 'payout_reversal'
        WHERE r.status = 'reversed' AND m.amount_minor IS DISTINCT FROM r.amount_minor
        """,
    ),
    Invariant(
        name="creators give back no more for a payment than nobody has paid for",
        table="public.recovery_shares",
        unit="shares",
        violations="""
        SELECT r.id || ': lost ' || r.amount_minor || ', given back ' || sum(s.taken_minor + s.owed_minor)
        FROM public.recoveries r JOIN public.recovery_shares s ON s.recovery_id = r.id
        GROUP BY r.id HAVING sum(s.taken_minor + s.owed_minor) > r.amount_minor
        """,
    ),
)
