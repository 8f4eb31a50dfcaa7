"""Statements about reversals of payout transfers at the provider. Needs the platform's session."""

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from domain.common.accounts import Account
from domain.common.money import CREDIT
from domain.payouts.recovery import SentPayout
from ledger.invariants import Invariant
from models.payouts.recovery import Recovery, RecoveryShare, TransferReversal

#: The condition that a share has no reversal of payout `p` yet; there is never a second one.
_NOT_REVERSED = """NOT EXISTS (
    SELECT FROM transfer_reversals v WHERE v.payout_id = p.id AND v.recovery_id = :recovery AND v.source = :source
)"""
#: Payouts that included earnings from a payment, newest first.
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


#: What chargebacks of a payment have booked to a creator's debt, less what was asked back for it.
_OWED_BY_CHARGEBACKS = text(
    """
    SELECT -sum(e.amount)::bigint - coalesce((
        SELECT sum(s.owed_minor) FROM recoveries r JOIN recovery_shares s ON s.recovery_id = r.id
        WHERE r.payment_id = :payment AND r.cause LIKE 'lost:%'
    ), 0)::bigint AS owed,
        (array_agg(t.id ORDER BY t.effective_at DESC, t.id DESC) FILTER (WHERE e.amount < 0))[1] AS id
    FROM ledger.transfers t JOIN ledger.entries e ON e.transfer_id = t.id
    JOIN ledger.accounts a ON a.id = e.account_id AND a.path = :path AND a.asset = :asset
    WHERE t.reference = :payment AND starts_with(t.kind, 'payment.dispute_')
    """
)


async def owed_by_chargebacks(session: AsyncSession, debts: Account, payment_id: str) -> tuple[int, UUID] | None:
    """Return what chargebacks of a sale's payment left a creator owing and no reversal was requested for, if anything.

    With it comes the last transfer that left it so.
    """
    values = {"payment": payment_id, "path": debts.path, "asset": debts.asset}
    row = (await session.execute(_OWED_BY_CHARGEBACKS, values)).one()
    return None if row.id is None else (int(row.owed), row.id)


async def sent(session: AsyncSession, case: Recovery, org_id: str, source: str) -> list[SentPayout]:
    share = {"recovery": case.id, "source": source}
    if case.asset == CREDIT:
        rows = await session.execute(_SENT_CREDITS, {**share, "payment": case.payment_id})
    else:
        rows = await session.execute(_SENT_MONEY, {**share, "org_id": org_id, "asset": case.asset})
    return [
        SentPayout(payout_id=row.id, goods_minor=row.goods, money_minor=row.money, left_minor=row.left)
        for row in rows
        if row.goods > 0 and row.money > 0 and row.left > 0
    ]


async def owed_shares(
    session: AsyncSession, org_id: str, assets: Collection[str]
) -> list[tuple[Recovery, RecoveryShare, int]]:
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
        .where(RecoveryShare.org_id == org_id, RecoveryShare.owed_minor > 0, left > 0, Recovery.asset.in_(assets))
    )
    return [(case, share, int(rest)) for case, share, rest in found]


async def due_reversals(session: AsyncSession, *, now: datetime, after: str, limit: int) -> Sequence[str]:
    """Return the ids of reversals that are due to be tried or looked up, after an id."""
    query = select(TransferReversal.id).where(TransferReversal.next_at <= now, TransferReversal.id > after)
    return (await session.scalars(query.order_by(TransferReversal.id).limit(limit))).all()


async def reversal(session: AsyncSession, reversal_id: str, *, lock: bool = False) -> TransferReversal:
    query = select(TransferReversal).where(TransferReversal.id == reversal_id)
    if lock:
        query = query.with_for_update()
    return (await session.scalars(query.execution_options(populate_existing=True))).one()


async def reversed_of(session: AsyncSession, payout_ids: Sequence[str]) -> dict[str, int]:
    """Return the reversed amounts of payouts, in minor units of their currencies."""
    query = (
        select(TransferReversal.payout_id, func.sum(TransferReversal.amount_minor))
        .where(TransferReversal.payout_id.in_(payout_ids), TransferReversal.status == "reversed")
        .group_by(TransferReversal.payout_id)
    )
    return {payout_id: int(amount) for payout_id, amount in await session.execute(query)}


async def asked_of(session: AsyncSession, payout_id: str) -> int:
    """Return what Bursar has taken back of a payout, or asked its provider to, in minor units of its currency."""
    query = select(func.coalesce(func.sum(TransferReversal.amount_minor), 0)).where(
        TransferReversal.payout_id == payout_id,
        TransferReversal.status.in_(["requested", "reversed"]),
        TransferReversal.tries > 0,
    )
    return int((await session.scalars(query)).one())


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
)
