"""What earnings were worth in money, month by month, by the books. Needs the platform's session."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from domain.errors import NotFound
from domain.ids import is_id
from ledger.invariants import Invariant
from models.creator_statement import CreatorCorrection, CreatorStatement

#: Postings of earnings, each with what it was worth: money itself, and credits for what was paid for these very ones.
#: What comes back into a lot comes with what had left with it.
_WORTH = """
    SELECT g.id AS agent_id, g.name, t.kind, t.reference, a.asset, e.transfer_id, e.effective_at,
        sum(e.amount)::bigint AS amount, CASE
        WHEN a.asset = :currency THEN sum(e.amount)::bigint
        ELSE coalesce((
            SELECT sum(u.cost) FROM ledger.lot_uses u JOIN ledger.lots l ON l.id = u.to_lot
            WHERE u.transfer_id = e.transfer_id AND l.account_id = a.id AND l.paid_asset = :currency
        ), 0)::bigint - coalesce((
            SELECT sum(u.cost) FROM ledger.lot_uses u JOIN ledger.lots l ON l.id = u.lot_id
            WHERE u.transfer_id = e.transfer_id AND l.account_id = a.id AND l.paid_asset = :currency
        ), 0)::bigint + coalesce((
            SELECT sum(l.paid) FROM ledger.lots l
            WHERE l.transfer_id = e.transfer_id AND l.account_id = a.id AND l.parent_id IS NULL
              AND l.paid_asset = :currency
        ), 0)::bigint END AS worth
    FROM agents g
    JOIN ledger.accounts a ON a.path = 'agent/' || g.id || '/earnings/' || a.asset AND a.asset IN ('CREDIT', :currency)
    JOIN ledger.entries e ON e.account_id = a.id
    JOIN ledger.transfers t ON t.id = e.transfer_id
    WHERE g.org_id = :org_id AND e.effective_at < :until
    GROUP BY g.id, g.name, t.kind, t.reference, a.id, a.asset, e.transfer_id, e.effective_at
"""
#: What leaves earnings was earned with the same reference; what is taken back of a payer's payment says which share.
_MONTH = text(
    f"""
    WITH w AS MATERIALIZED ({_WORTH})
    SELECT w.agent_id, w.name, w.asset, w.kind, w.effective_at >= :since AS is_new, w.amount > 0 AS is_in,
        date_trunc('month', o.at AT TIME ZONE 'UTC')::date AS earned_in,
        sum(w.amount)::bigint AS amount, sum(w.worth)::bigint AS worth
    FROM w LEFT JOIN LATERAL (
        SELECT CASE WHEN w.kind = 'earnings.recovered' THEN (
            SELECT t.effective_at FROM recovery_shares s LEFT JOIN ledger.lots l ON l.id = s.source::uuid
            JOIN ledger.transfers t ON t.id = coalesce(l.transfer_id, s.source::uuid)
            WHERE s.transfer_id = w.transfer_id
        ) ELSE (
            SELECT max(e.effective_at) FROM w e
            WHERE e.agent_id = w.agent_id AND e.asset = w.asset AND e.reference = w.reference AND e.amount > 0
              AND e.effective_at <= w.effective_at
        ) END AS at
    ) o ON w.amount < 0 AND w.effective_at >= :since
    GROUP BY 1, 2, 3, 4, 5, 6, 7 ORDER BY w.agent_id, w.asset, w.kind
    """
)
_CURRENCIES = text(
    """
    SELECT DISTINCT currency FROM (
        SELECT a.asset AS currency FROM agents g
        JOIN ledger.accounts a ON a.path = 'agent/' || g.id || '/earnings/' || a.asset AND a.asset <> 'CREDIT'
        WHERE g.org_id = :org_id
        UNION ALL
        SELECT l.paid_asset FROM agents g
        JOIN ledger.accounts a ON a.path = 'agent/' || g.id || '/earnings/CREDIT' AND a.asset = 'CREDIT'
        JOIN ledger.lots l ON l.account_id = a.id AND l.paid_asset IS NOT NULL
        WHERE g.org_id = :org_id
    ) c ORDER BY currency
    """
)
#: Organizations that a month moved earnings of, and that have no statement of it.
_DUE = text(
    """
    SELECT DISTINCT a.org_id FROM ledger.accounts a
    WHERE a.path LIKE 'agent/%/earnings/%' AND a.org_id > :after
      AND EXISTS (
        SELECT FROM ledger.entries e
        WHERE e.account_id = a.id AND e.effective_at >= :since AND e.effective_at < :until
      )
      AND NOT EXISTS (SELECT FROM creator_statements s WHERE s.org_id = a.org_id AND s.month = :month)
    ORDER BY a.org_id LIMIT :limit
    """
)
_TOTALS = text(
    """
    SELECT m.org_id, c.country, m.currency, extract(quarter FROM m.occurred_at AT TIME ZONE 'UTC')::int AS quarter,
        coalesce(-sum(m.amount_minor) FILTER (WHERE m.kind = 'payout'), 0)::bigint AS paid,
        coalesce(sum(m.amount_minor) FILTER (WHERE m.kind = 'payout_reversal'), 0)::bigint AS reversed,
        (count(*) FILTER (WHERE m.kind = 'payout'))::int AS payouts
    FROM payment_movements m LEFT JOIN creator_accounts c ON c.org_id = m.org_id
    WHERE m.kind IN ('payout', 'payout_reversal') AND m.occurred_at >= :since AND m.occurred_at < :until
    GROUP BY m.org_id, c.country, m.currency, quarter ORDER BY m.org_id, m.currency, quarter
    """
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """Postings of one kind to or from an agent's earnings of an asset: how much, and what it was worth in money.

    `earned_in`: the first day of the month in which what is taken back was earned; None where that is not known.
    """

    agent_id: str
    name: str
    asset: str
    kind: str
    is_new: bool
    is_in: bool
    amount_minor: int
    worth_minor: int
    earned_in: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarterTotal:
    """What a creator was paid in a quarter, in minor units of one currency, and what of payouts was taken back."""

    org_id: str
    country: str | None
    currency: str
    quarter: int
    paid_minor: int
    reversed_minor: int
    payouts: int


async def moved(
    session: AsyncSession, org_id: str, currency: str, *, since: datetime, until: datetime
) -> Sequence[Moved]:
    """Return what moved on the earnings of an organization up to a time; `is_new`: not before `since`."""
    values = {"org_id": org_id, "currency": currency, "since": since, "until": until}
    return [
        Moved(
            agent_id=row.agent_id,
            name=row.name,
            asset=row.asset,
            kind=row.kind,
            is_new=row.is_new,
            is_in=row.is_in,
            amount_minor=row.amount,
            worth_minor=row.worth,
            earned_in=row.earned_in,
        )
        for row in await session.execute(_MONTH, values)
    ]


async def currencies(session: AsyncSession, org_id: str) -> Sequence[str]:
    """Return the currencies that the earnings of an organization are worth something in."""
    return (await session.scalars(_CURRENCIES, {"org_id": org_id})).all()


async def due(
    session: AsyncSession, month: date, *, since: datetime, until: datetime, after: str, limit: int
) -> Sequence[str]:
    """List organizations whose earnings moved in a month and that have no statement of it, by their id."""
    values = {"month": month, "since": since, "until": until, "after": after, "limit": limit}
    return (await session.scalars(_DUE, values)).all()


async def lock(session: AsyncSession, org_id: str) -> None:
    """Let nobody else make statements of an organization, or corrections of them, until the transaction ends."""
    name = f"statements:{org_id}"
    await session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(name, 0))))


async def of_month(session: AsyncSession, org_id: str, month: date) -> Sequence[CreatorStatement]:
    """Return the statements of a month that the session may see, one for each currency."""
    row = CreatorStatement
    query = select(row).where(row.org_id == org_id, row.month == month).order_by(row.currency)
    return (await session.scalars(query)).all()


async def corrections(session: AsyncSession, statement_id: str) -> Sequence[CreatorCorrection]:
    """Return the corrections of a statement that the session may see, the oldest first."""
    row = CreatorCorrection
    return (await session.scalars(select(row).where(row.statement_id == statement_id).order_by(row.id))).all()


async def correction(
    session: AsyncSession, org_id: str, month: date, currency: str, correction_id: str
) -> CreatorCorrection:
    """Return a correction of an organization's statement of a month.

    Raises:
        NotFound: there is no such correction.
    """
    row = await session.get(CreatorCorrection, correction_id) if is_id(correction_id, "stc") else None
    stated = {each.id for each in await of_month(session, org_id, month) if each.currency == currency}
    if row is None or row.statement_id not in stated:
        raise NotFound("There is no such correction of this statement.")
    return row


async def add(session: AsyncSession, row: CreatorStatement | CreatorCorrection) -> None:
    """Insert a statement, or a correction of one."""
    session.add(row)
    await session.flush()


async def quarters(session: AsyncSession, *, since: datetime, until: datetime) -> Sequence[QuarterTotal]:
    """Return what every creator was paid in a period, by quarter and currency."""
    return [
        QuarterTotal(
            org_id=row.org_id,
            country=row.country,
            currency=row.currency,
            quarter=row.quarter,
            paid_minor=row.paid,
            reversed_minor=row.reversed,
            payouts=row.payouts,
        )
        for row in await session.execute(_TOTALS, {"since": since, "until": until})
    ]


#: What `verify` proves about creators' statements.
INVARIANTS = (
    Invariant(
        name="corrections of a creator's statement take back no more than it billed, and no more of its tax",
        table="public.creator_statements",
        unit="statements",
        violations="""
        SELECT s.number || ': ' || s.total_minor || ' with ' || s.tax_minor || ' tax, taken back ' || c.total ||
            ' with ' || c.tax
        FROM public.creator_statements s JOIN LATERAL (
            SELECT sum(total_minor) AS total, sum(tax_minor) AS tax FROM public.creator_corrections
            WHERE statement_id = s.id
        ) c ON true
        WHERE c.total > s.total_minor OR c.tax > s.tax_minor OR (c.total = s.total_minor AND c.tax <> s.tax_minor)
        """,
    ),
)
