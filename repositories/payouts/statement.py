"""Earnings of creators by month, valued in money, read from the ledger. Needs the platform's session."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from fractions import Fraction
from uuid import UUID

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from domain.common.errors import NotFound
from domain.common.ids import is_id
from domain.common.money import round_to_sum
from domain.payouts.statement import ReversalPart, divide_reversals
from ledger.invariants import Invariant
from models.payouts.creator_statement import CreatorCorrection, CreatorStatement
from repositories.books.account_statement import version_before

#: Kinds of transfers out of earnings that take nothing back from the creator.
_KEPT = "('payout.requested', 'payout.returned', 'earnings.converted', 'earnings.waived')"


def _booked(assets: str) -> str:
    """Return the CTEs `owned`, an organization's accounts of earnings, and `booked`, their entries since a time.

    The first entry is found by binary search, so earlier entries are not read.
    """
    return f"""
    owned AS MATERIALIZED (
        SELECT g.id AS agent_id, g.name, a.id AS account_id, a.asset, v.version
        FROM agents g
        JOIN ledger.accounts a ON a.path = 'agent/' || g.id || '/earnings/' || a.asset {assets}
        CROSS JOIN LATERAL ({version_before("a.id", ":since")}) v (version)
        WHERE g.org_id = :org_id
    ), booked AS MATERIALIZED (
        SELECT o.account_id, o.asset, e.transfer_id, e.effective_at, sum(e.amount)::bigint AS amount
        FROM owned o CROSS JOIN LATERAL (
            SELECT n.* FROM ledger.entries n
            WHERE n.account_id = o.account_id AND n.stripe = 0 AND n.version > o.version AND n.effective_at >= :since
            OFFSET 0
        ) e
        GROUP BY o.account_id, o.asset, e.transfer_id, e.effective_at
    )"""


#: The lots that a posting `p` moved credits from and to, each with its part of the price paid. A return into a lot has
#: the price that had left with it.
_LOTS = """
    SELECT l.paid_asset, u.cost FROM ledger.lot_uses u JOIN ledger.lots l ON l.id = u.to_lot
    WHERE u.transfer_id = p.transfer_id AND l.account_id = p.account_id
    UNION ALL
    SELECT l.paid_asset, -u.cost FROM ledger.lot_uses u JOIN ledger.lots l ON l.id = u.lot_id
    WHERE u.transfer_id = p.transfer_id AND l.account_id = p.account_id
    UNION ALL
    SELECT l.paid_asset, r.cost FROM ledger.lot_returns r JOIN ledger.lots l ON l.id = r.lot_id
    WHERE r.transfer_id = p.transfer_id AND r.account_id = p.account_id
"""
#: Lots of an organization without a source lot, since the first `booked` entry. The id of a lot contains the time of
#: its transfer, so no index by transfer is needed.
_BROUGHT = """
    brought AS MATERIALIZED (
        SELECT l.account_id, l.transfer_id, l.paid_asset, sum(l.paid)::bigint AS cost FROM ledger.lots l
        WHERE l.org_id = :org_id AND l.id > (SELECT b.transfer_id FROM booked b ORDER BY b.transfer_id LIMIT 1)
          AND l.parent_id IS NULL AND l.paid > 0
        GROUP BY l.account_id, l.transfer_id, l.paid_asset
    )"""


def _worth(brought: str) -> str:
    """Return SQL for the value of a posting `p`: the amount for money, and the price paid for credits.

    Args:
        brought: a query of the costs of its lots that have no source lot.
    """
    return f"""CASE WHEN p.asset = :currency THEN p.amount ELSE coalesce((
        SELECT sum(x.cost) FROM ({_LOTS}) x WHERE x.paid_asset = :currency
    ), 0)::bigint + coalesce(({brought}), 0)::bigint END"""


_OF_BOOKED = """
    SELECT b.cost FROM brought b
    WHERE b.transfer_id = p.transfer_id AND b.account_id = p.account_id AND b.paid_asset = :currency
"""
#: For old transfers; reads as many lots as one transfer opens.
_OF_OLD = """
    SELECT sum(n.paid) FROM (
        SELECT l.* FROM ledger.lots l WHERE l.org_id = :org_id AND l.id > p.transfer_id ORDER BY l.id LIMIT 20
    ) n
    WHERE n.transfer_id = p.transfer_id AND n.account_id = p.account_id AND n.parent_id IS NULL
      AND n.paid_asset = :currency
"""
#: The movements of a month, and the opening balance: the present one less all movements since. Amounts that leave
#: earnings otherwise than by payout or conversion are listed by transfer, to find the earnings that they take back.
_MONTH = text(
    f"""
    WITH {_booked("AND a.asset IN ('CREDIT', :currency)")}, {_BROUGHT}, moved AS MATERIALIZED (
        SELECT p.*, t.kind, t.reference, {_worth(_OF_BOOKED)} AS worth
        FROM booked p CROSS JOIN LATERAL (
            SELECT n.kind, n.reference FROM ledger.transfers n WHERE n.id = p.transfer_id OFFSET 0
        ) t
    )
    SELECT o.account_id, o.agent_id, o.name, o.asset, m.* FROM owned o CROSS JOIN LATERAL (
        SELECT '' AS kind, false AS is_new, true AS is_in, NULL AS reference, NULL::uuid AS transfer_id,
            NULL::timestamptz AS earned_at,
            (SELECT sum(b.posted) FROM ledger.balances b WHERE b.account_id = o.account_id)::bigint
                - coalesce(sum(m.amount), 0)::bigint AS amount,
            CASE WHEN o.asset = :currency THEN
                (SELECT sum(b.posted) FROM ledger.balances b WHERE b.account_id = o.account_id)
            ELSE coalesce((
                SELECT sum(l.paid - l.costed) FROM ledger.lots l
                WHERE l.account_id = o.account_id AND l.is_open AND l.paid_asset = :currency
            ), 0) END::bigint - coalesce(sum(m.worth), 0)::bigint AS worth
        FROM moved m WHERE m.account_id = o.account_id
    ) m
    UNION ALL
    SELECT o.account_id, o.agent_id, o.name, o.asset, m.kind, true, m.amount > 0, NULL, NULL, NULL,
        sum(m.amount)::bigint, sum(m.worth)::bigint
    FROM moved m JOIN owned o ON o.account_id = m.account_id
    WHERE m.effective_at < :until AND (m.amount > 0 OR m.kind IN {_KEPT})
    GROUP BY o.account_id, o.agent_id, o.name, o.asset, m.kind, m.amount > 0
    UNION ALL
    SELECT o.account_id, o.agent_id, o.name, o.asset, m.kind, true, false, m.reference, m.transfer_id,
        CASE WHEN m.kind = 'earnings.recovered' THEN (
            -- What is taken back of a payer's payment says which share.
            SELECT e.effective_at FROM recoveries r JOIN recovery_shares s ON s.recovery_id = r.id
            LEFT JOIN ledger.lots l ON l.id = s.source::uuid
            JOIN ledger.transfers e ON e.id = coalesce(l.transfer_id, s.source::uuid)
            WHERE r.payment_id = m.reference AND s.transfer_id = m.transfer_id
        ) END, m.amount, m.worth
    FROM moved m JOIN owned o ON o.account_id = m.account_id
    WHERE m.effective_at < :until AND m.amount < 0 AND m.kind NOT IN {_KEPT}
    ORDER BY agent_id, asset, kind, transfer_id
    """
)
#: All earnings with some references, and what was taken back of them. A transfer that takes earnings back has the
#: reference of the earnings, so only these are looked up.
_REFERRED = text(
    f"""
    WITH asked AS MATERIALIZED (
        SELECT * FROM unnest(CAST(:accounts AS bigint[]), CAST(:references AS text[])) AS a (account_id, reference)
    ), referred AS MATERIALIZED (
        SELECT a.account_id, a.reference, x.asset, e.transfer_id, e.effective_at, sum(e.amount)::bigint AS amount
        FROM asked a JOIN ledger.accounts x ON x.id = a.account_id
        CROSS JOIN LATERAL (
            SELECT n.id FROM ledger.transfers n
            WHERE n.reference = a.reference AND n.kind NOT IN {_KEPT} AND n.kind <> 'earnings.recovered' OFFSET 0
        ) t
        CROSS JOIN LATERAL (
            SELECT n.* FROM ledger.entries n WHERE n.transfer_id = t.id AND n.account_id = a.account_id OFFSET 0
        ) e
        WHERE e.effective_at < :until
        GROUP BY a.account_id, a.reference, x.asset, e.transfer_id, e.effective_at
    )
    SELECT p.account_id, p.reference, p.transfer_id, p.effective_at AS at, {_worth(_OF_OLD)} AS worth, p.amount
    FROM referred p
    ORDER BY p.effective_at, p.amount < 0, p.transfer_id
    """
)
#: The currencies in which entries since a time have a value.
_CURRENCIES = text(
    f"""
    WITH {_booked("")}, {_BROUGHT}
    SELECT DISTINCT currency FROM (
        SELECT b.asset AS currency FROM booked b WHERE b.asset <> 'CREDIT'
        UNION ALL
        SELECT x.paid_asset FROM booked p CROSS JOIN LATERAL ({_LOTS}) x WHERE p.asset = 'CREDIT'
        UNION ALL
        SELECT b.paid_asset FROM brought b JOIN owned o ON o.account_id = b.account_id
        UNION ALL
        SELECT v.currency FROM transfer_reversals v
        WHERE v.org_id = :org_id AND v.status = 'reversed' AND v.updated_at >= :since
    ) c WHERE currency IS NOT NULL ORDER BY currency
    """
)
#: Reversed payouts, and when the amounts were earned. They left the earnings with the payout, so no entry shows them.
_REVERSED = text(
    """
    SELECT v.agent_id, g.name, v.asset, v.goods_minor, v.amount_minor, e.effective_at AS earned_at
    FROM transfer_reversals v JOIN agents g ON g.id = v.agent_id
    LEFT JOIN ledger.lots l ON l.id = v.source::uuid
    JOIN ledger.transfers e ON e.id = coalesce(l.transfer_id, v.source::uuid)
    WHERE v.org_id = :org_id AND v.currency = :currency AND v.status = 'reversed'
      AND v.updated_at >= :since AND v.updated_at < :until
    ORDER BY v.id
    """
)
#: Whether earnings of an organization moved, by the days that are added up and what they have not reached, or something
#: came back of a payout.
_MOVED_IN = """
    (EXISTS (
        SELECT FROM ledger.accounts a JOIN ledger.earning_days d ON d.account_id = a.id
        WHERE a.org_id = {org} AND a.path LIKE 'agent/%/earnings/%'
          AND d.day >= (CAST(:since AS timestamptz) AT TIME ZONE 'UTC')::date
          AND d.day < (CAST(:until AS timestamptz) AT TIME ZONE 'UTC')::date
    ) OR EXISTS (
        SELECT FROM ledger.accounts a CROSS JOIN LATERAL (
            SELECT FROM ledger.entries_not_added_up({org}) e
            WHERE e.account_id = a.id AND e.effective_at >= :since AND e.effective_at < :until
        ) e
        WHERE a.org_id = {org} AND a.path LIKE 'agent/%/earnings/%'
    ) OR EXISTS (
        SELECT FROM transfer_reversals v
        WHERE v.org_id = {org} AND v.status = 'reversed' AND v.updated_at >= :since AND v.updated_at < :until
    ))
"""
_HAS_MOVED = text(f"SELECT {_MOVED_IN.format(org=':org_id')}")
#: Organizations with movements of earnings in a month and no statement for it.
_DUE = text(
    f"""
    SELECT o.id FROM organizations o
    WHERE o.id > :after AND NOT EXISTS (SELECT FROM creator_statements s WHERE s.org_id = o.id AND s.month = :month)
      AND {_MOVED_IN.format(org="o.id")}
    ORDER BY o.id LIMIT :limit
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
class EarningsMovement:
    """Postings of one kind to or from an agent's earnings in an asset: the amount, and its value in money.

    `earned_in`: the first day of the month in which an amount that is taken back was earned; None if unknown.
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
    """The payouts to a creator in a quarter, in minor units of one currency, and their reversals."""

    org_id: str
    country: str | None
    currency: str
    quarter: int
    paid_minor: int
    reversed_minor: int
    payouts: int


async def read_movements(
    session: AsyncSession, org_id: str, currency: str, *, since: datetime, until: datetime
) -> Sequence[EarningsMovement]:
    """Return the movements of an organization's earnings up to a time; `is_new` are those from `since` on.

    It reads the entries since then, and all earnings with the references of amounts that were taken back.
    """
    values = {"org_id": org_id, "currency": currency, "since": since, "until": until}
    rows = (await session.execute(_MONTH, values)).all()
    taken = await _taken(session, {(row.account_id, row.reference) for row in rows if row.reference}, values)
    found: dict[EarningsMovement, tuple[int, int]] = {}
    for row in rows:
        parts = taken.get((row.account_id, row.transfer_id)) or [
            ReversalPart(-row.worth, row.earned_at, Fraction(-row.amount))
        ]
        goods = sum(part.goods for part in parts)
        gone = round_to_sum([-row.amount * part.goods / goods for part in parts]) if goods else [-row.amount]
        for part, part_gone in zip(parts, gone, strict=True):
            at = part.earned_at
            place = EarningsMovement(
                agent_id=row.agent_id,
                name=row.name,
                asset=row.asset,
                kind=row.kind,
                is_new=row.is_new,
                is_in=row.is_in,
                amount_minor=0,
                worth_minor=0,
                earned_in=None if at is None else _month_of(at),
            )
            amount, worth = found.get(place, (0, 0))
            found[place] = amount - part_gone, worth - part.amount_minor
    listed = [replace(place, amount_minor=amount, worth_minor=worth) for place, (amount, worth) in found.items()]
    return listed + await _reversed(session, values)


async def _reversed(session: AsyncSession, values: Mapping[str, object]) -> list[EarningsMovement]:
    found = list[EarningsMovement]()
    for row in await session.execute(_REVERSED, values):
        back = EarningsMovement(
            agent_id=row.agent_id,
            name=row.name,
            asset=row.asset,
            kind="payout.returned",
            is_new=True,
            is_in=True,
            amount_minor=row.goods_minor,
            worth_minor=row.amount_minor,
        )
        gone = {"amount_minor": -row.goods_minor, "worth_minor": -row.amount_minor, "is_in": False}
        found += [back, replace(back, kind="payout.reversed", earned_in=_month_of(row.earned_at), **gone)]
    return found


def _month_of(at: datetime) -> date:
    return at.astimezone(UTC).date().replace(day=1)


async def _taken(
    session: AsyncSession, asked: Collection[tuple[int, str]], values: Mapping[str, object]
) -> dict[tuple[int, UUID], list[ReversalPart]]:
    """Return what transfers took back of earnings with the same references, by account and transfer."""
    found: dict[tuple[int, UUID], list[ReversalPart]] = {}
    if not asked:
        return found
    accounts, references = zip(*sorted(asked), strict=True)
    values = {**values, "accounts": list(accounts), "references": list(references)}
    moves: dict[tuple[int, str], list[tuple[UUID, datetime, int, int]]] = {}
    for row in await session.execute(_REFERRED, values):
        moves.setdefault((row.account_id, row.reference), []).append((row.transfer_id, row.at, row.worth, row.amount))
    for (account_id, _), each in moves.items():
        parts = divide_reversals([move[1:] for move in each])
        found |= {(account_id, each[index][0]): part for index, part in enumerate(parts) if part}
    return found


async def currencies(session: AsyncSession, org_id: str, *, since: datetime) -> Sequence[str]:
    return (await session.scalars(_CURRENCIES, {"org_id": org_id, "since": since})).all()


async def has_moved(session: AsyncSession, org_id: str, *, since: datetime, until: datetime) -> bool:
    """Return whether the earnings of an organization moved in a month (UTC)."""
    return bool(await session.scalar(_HAS_MOVED, {"org_id": org_id, "since": since, "until": until}))


async def due(
    session: AsyncSession, month: date, *, since: datetime, until: datetime, after: str, limit: int
) -> Sequence[str]:
    """Return the organizations whose earnings moved in a month and that have no statement for it, by id."""
    values = {"month": month, "since": since, "until": until, "after": after, "limit": limit}
    return (await session.scalars(_DUE, values)).all()


async def lock(session: AsyncSession, org_id: str, *, waits: bool) -> bool:
    """Lock the statements and corrections of an organization until the transaction ends.

    Returns:
        False if another transaction holds the lock, and this one does not wait.
    """
    name = func.hashtextextended(f"statements:{org_id}", 0)
    if waits:
        await session.execute(select(func.pg_advisory_xact_lock(name)))
        return True
    return bool(await session.scalar(select(func.pg_try_advisory_xact_lock(name))))


async def months_after(session: AsyncSession, org_id: str, month: date, currency: str) -> Sequence[date]:
    row = CreatorStatement
    query = select(row.month).where(row.org_id == org_id, row.month > month, row.currency == currency)
    return (await session.scalars(query.order_by(row.month))).all()


async def of_month(session: AsyncSession, org_id: str, month: date) -> Sequence[CreatorStatement]:
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
    session.add(row)
    await session.flush()


async def quarters(session: AsyncSession, *, since: datetime, until: datetime) -> Sequence[QuarterTotal]:
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
