"""Payable, held back and frozen earnings of agents, read from the ledger. Needs the platform's session."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from domain.common import accounts
from domain.common.money import CREDIT, SCALES
from domain.payouts.payable import EarningsShare, HoldBackWindow, LotSlice, PayableState
from domain.payouts.payout.state import Payout
from repositories.books.account_statement import version_before
from repositories.payouts.recovery_uses import CASH_ESCROWS

_MONEY = sorted(set(SCALES) - {CREDIT})
#: The maximum number of lots in one payout, because it is one transaction.
MAX_SLICES = 2_000

#: Payments that are charged back, or were and are not recovered yet, each with the time of the chargeback.
DISPUTED = """
    (SELECT payment_id, opened_at FROM payment_disputes WHERE status IN ('inquiry', 'needs_response', 'under_review')
     UNION ALL SELECT payment_id, disputed_at FROM recoveries WHERE closed_at IS NULL)
"""
_GIVEN = """
    unnest(
        CAST(:agents AS text[]), CAST(:cutoffs AS timestamptz[]), CAST(:answers AS interval[]),
        CAST(:sales_cutoffs AS timestamptz[])
    ) AS g (agent_id, cutoff, answers, sales_cutoff)
"""


#: The lots of earnings in credits, each with its state. A lot whose payment is charged back is frozen if its creator is
#: liable for it.
def _lots(given: str) -> str:
    return f"""
    SELECT g.agent_id, l.*, l.remaining - l.held AS free, CASE
        WHEN l.paid = 0 THEN 'granted'
        WHEN EXISTS (
            SELECT FROM {DISPUTED} d WHERE d.payment_id = l.payment_id AND l.opened_at > d.opened_at - g.answers
        ) THEN 'frozen'
        WHEN l.opened_at > g.cutoff THEN 'pending'
        WHEN l.opened_at > g.sales_cutoff AND EXISTS (
            SELECT FROM ledger.transfers t WHERE t.id = l.transfer_id AND t.kind = 'marketplace.sold'
        ) THEN 'pending'
        ELSE 'available' END AS state,
        -- For how long it is held back yet: what was sold, longer.
        l.opened_at - CASE WHEN l.opened_at > g.sales_cutoff AND EXISTS (
            SELECT FROM ledger.transfers t WHERE t.id = l.transfer_id AND t.kind = 'marketplace.sold'
        ) THEN g.sales_cutoff ELSE g.cutoff END AS held_back
    FROM {given}
    JOIN ledger.accounts a ON a.path = 'agent/' || g.agent_id || '/earnings/CREDIT' AND a.asset = 'CREDIT'
    JOIN ledger.lots l ON l.account_id = a.id AND l.is_open AND l.remaining > l.held
"""


def credit_shares(given: str = _GIVEN) -> str:
    """Return the statement that reads agents' earnings in credits by state.

    `OFFSET 0` keeps the planner from working out the state of each lot twice, for its group and for its sum.

    Args:
        given: a FROM item `g` of agents, with the columns of `_GIVEN`.
    """
    return f"""
    SELECT agent_id, state, paid_asset AS currency, sum(free)::bigint AS amount,
        sum(ledger.slice_cost(paid, costed, amount, amount - remaining + free))::bigint AS worth,
        min(held_back) FILTER (WHERE state = 'pending') AS first_in
    FROM ({_lots(given)} OFFSET 0) lots
    GROUP BY agent_id, state, paid_asset ORDER BY agent_id, state, paid_asset
    """


_SHARES = text(credit_shares())
_SLICES = text(
    f"""
    SELECT id, agent_id, free, amount, amount - remaining AS gone, paid, costed FROM ({_lots(_GIVEN)}) lots
    WHERE state = 'available' AND paid_asset = :currency
      -- Lots of which nothing is left to be paid out would take the place of those behind them.
      AND ledger.slice_cost(paid, costed, amount, amount - remaining + free) > 0
    ORDER BY opened_at, id LIMIT :most
    """
)


#: The part of an entry `e` that recoveries have taken from its agent, or left as a debt.
_ANSWERED = """coalesce((
    SELECT sum(r.taken_minor + r.owed_minor) FROM recovery_shares r
    WHERE e.amount > 0 AND r.source = e.transfer_id::text AND r.agent_id = g.agent_id
), 0)::bigint"""
#: What agents `g` have earned, as entries `e`, by transfers that moved an account `s`. One that also pays commission
#: has two entries on it.
_EARNED_OF = """CROSS JOIN LATERAL (SELECT DISTINCT n.transfer_id FROM ledger.entries n WHERE n.account_id = s.id) o
        CROSS JOIN LATERAL (SELECT n.* FROM ledger.entries n WHERE n.transfer_id = o.transfer_id OFFSET 0) e
        JOIN earning g ON g.account_id = e.account_id"""
#: The cutoff of a transfer `t`: newer earnings are held back. Sales of agents have one of their own.
_CUTOFF = "CASE t.kind WHEN 'payment.agent_bought' THEN g.sales_cutoff ELSE g.cutoff END"
#: What earnings `g` have of the escrows and sales that `charged` payments have paid.
_FROZEN_BY_PAYMENT = f"""
    SELECT g.account_id, sum(e.amount - h.answered) AS amount,
        sum(e.amount - h.answered) FILTER (WHERE e.effective_at > {_CUTOFF}) AS young
    FROM charged d
    JOIN payments p ON p.id = d.payment_id
    CROSS JOIN LATERAL (
        SELECT a.id FROM ledger.accounts a
        WHERE a.path IN ('org/' || p.org_id || '/payments/' || p.id, 'escrow/' || p.escrow_id)
          AND a.asset <> 'CREDIT' OFFSET 0
    ) s
    {_EARNED_OF}
    JOIN ledger.transfers t ON t.id = e.transfer_id
    CROSS JOIN LATERAL (SELECT {_ANSWERED} AS answered) h
    WHERE e.effective_at > d.opened_at - g.answers
    GROUP BY g.account_id
"""
#: What they have of balances that `charged` payments have topped up.
_FROZEN_BY_TOP_UP = f"""
    -- Of a balance that was topped up nobody knows which escrow it paid, so no more is frozen than was paid in.
    SELECT u.account_id, sum(least(u.amount, u.paid)) AS amount, sum(least(u.young, u.paid)) AS young
    FROM (
        SELECT g.account_id, p.amount_minor AS paid, sum(e.amount - h.answered) AS amount,
            coalesce(sum(e.amount - h.answered) FILTER (WHERE e.effective_at > g.cutoff), 0) AS young
        FROM charged d
        JOIN payments p ON p.id = d.payment_id AND p.purpose = 'balance'
        CROSS JOIN LATERAL ({CASH_ESCROWS}) s
        {_EARNED_OF}
        CROSS JOIN LATERAL (SELECT {_ANSWERED} AS answered) h
        WHERE e.effective_at > d.opened_at - g.answers AND g.asset = p.currency
        GROUP BY g.account_id, p.id, p.amount_minor
    ) u GROUP BY u.account_id
"""
#: What came after the cutoff and has not gone since, by the escrow or sale that it came from.
_YOUNG = f"""
    SELECT sum(n.came - n.gone)::bigint AS young, min(n.first_in) AS first_in
    FROM (
        SELECT coalesce(sum(e.amount - h.answered) FILTER (WHERE h.is_young), 0) AS came,
            coalesce(-sum(e.amount) FILTER (WHERE h.is_gone), 0) AS gone,
            min(e.effective_at - h.cutoff) FILTER (WHERE h.is_young) AS first_in
        FROM ({version_before("g.account_id", "g.sales_cutoff")}) v (version)
        CROSS JOIN LATERAL (
            SELECT n.* FROM ledger.entries n
            WHERE n.account_id = g.account_id AND n.stripe = 0 AND n.version > v.version
                AND n.effective_at > g.sales_cutoff
            OFFSET 0
        ) e
        CROSS JOIN LATERAL (SELECT n.* FROM ledger.transfers n WHERE n.id = e.transfer_id OFFSET 0) t
        CROSS JOIN LATERAL (SELECT {_CUTOFF} AS cutoff) c
        CROSS JOIN LATERAL (
            SELECT c.cutoff, e.amount > 0 AND t.kind <> 'payout.returned' AND e.effective_at > c.cutoff AS is_young,
                e.amount < 0 AND t.kind NOT IN ('payout.requested', 'earnings.recovered') AS is_gone,
                {_ANSWERED} AS answered
        ) h
        GROUP BY coalesce(t.reference, t.id::text)
    ) n
    WHERE n.came > n.gone
"""


def cash_shares(
    given: str = _GIVEN, assets: str = "unnest(CAST(:assets AS text[])) AS m (asset)", disputed: str = DISPUTED
) -> str:
    """Return the statement that reads agents' earnings in money, for `shares_in_cash`.

    Money has no lots. It is spent first in, first out, so the balance consists of the newest earnings: those after the
    cutoff, less what was refunded or recovered of them since, are held back. Returned payouts are not held back again.
    Chargebacks are read once for all agents together.

    Args:
        given: as for `credit_shares`.
        assets: a FROM item `m` of currencies.
        disputed: as for `credit_shares`.
    """
    return f"""
    WITH earning AS MATERIALIZED (
        SELECT g.*, a.id AS account_id, a.asset
        FROM {given}
        CROSS JOIN {assets}
        JOIN ledger.accounts a ON a.path = 'agent/' || g.agent_id || '/earnings/' || m.asset AND a.asset = m.asset
    ), charged AS MATERIALIZED (
        -- Several chargebacks of a payment freeze what it has paid once. Whoever earned no money looks at none.
        SELECT payment_id, min(opened_at) AS opened_at FROM {disputed} d
        WHERE EXISTS (SELECT FROM earning) GROUP BY payment_id
    ), frozen AS (
        {_FROZEN_BY_PAYMENT}
    ), topped_up AS (
        {_FROZEN_BY_TOP_UP}
    )
    SELECT g.agent_id, g.asset, b.posted - b.pending_out AS free,
        coalesce(y.young, 0)::bigint AS young, y.first_in,
        (coalesce(z.amount, 0) + coalesce(c.amount, 0))::bigint AS frozen,
        (coalesce(z.young, 0) + coalesce(c.young, 0))::bigint AS young_frozen
    FROM earning g
    JOIN ledger.balances b ON b.account_id = g.account_id
    LEFT JOIN frozen z ON z.account_id = g.account_id
    LEFT JOIN topped_up c ON c.account_id = g.account_id
    LEFT JOIN LATERAL (
        {_YOUNG}
    ) y ON true
    ORDER BY g.agent_id, g.asset
    """


_CASH = text(cash_shares())
#: Lots of a payout that is not sent, whose payment is charged back. Their age is that of the earnings.
_FROZEN = text(
    f"""
    SELECT EXISTS (
        SELECT FROM ledger.accounts a
        JOIN ledger.lots l ON l.account_id = a.id AND l.remaining > 0
        JOIN ledger.lots e ON e.id = l.parent_id
        JOIN ledger.accounts o ON o.id = e.account_id
        JOIN {_GIVEN} ON o.path = 'agent/' || g.agent_id || '/earnings/CREDIT'
        JOIN {DISPUTED} d ON d.payment_id = l.payment_id AND e.opened_at > d.opened_at - g.answers
        WHERE a.path = :path AND a.asset = 'CREDIT'
    )
    """
)
_AGENTS = text(
    """
    SELECT DISTINCT g.id FROM agents g
    JOIN ledger.accounts a ON a.org_id = g.org_id AND a.path LIKE 'agent/' || g.id || '/earnings/%'
    JOIN ledger.balances b ON b.account_id = a.id AND b.posted > b.pending_out
    WHERE g.org_id = :org_id ORDER BY g.id
    """
)
_EARNED = "CASE WHEN e.amount > 0 AND t.kind <> 'payout.returned' THEN e.amount ELSE 0 END"
_PAID_OUT = "CASE WHEN t.kind IN ('payout.requested', 'payout.returned') THEN -e.amount ELSE 0 END"
#: Daily sums, entries that the batch has not added to them yet, and parts of days, all from one snapshot.
_FLOWS = f"""
    WITH owned AS MATERIALIZED (
        SELECT g.agent_id, a.id, a.asset FROM unnest(CAST(:agents AS text[])) AS g (agent_id)
        JOIN ledger.accounts a ON a.path IN (
            SELECT 'agent/' || g.agent_id || '/' || k.kind || '/' || m.asset
            FROM (VALUES ('earnings'), ('granted_earnings'), ('own_work')) AS k (kind),
                (SELECT DISTINCT n.asset FROM ledger.accounts n WHERE n.org_id = :org_id) AS m
        )
    )
    SELECT f.agent_id, f.asset, sum(f.earned)::bigint AS earned, sum(f.paid_out)::bigint AS paid_out FROM (
        SELECT o.agent_id, o.asset, d.earned, d.paid_out FROM owned o JOIN ledger.earning_days d ON d.account_id = o.id
        WHERE (CAST(:first AS date) IS NULL OR d.day >= :first) AND (CAST(:end AS date) IS NULL OR d.day < :end)
        UNION ALL
        SELECT o.agent_id, o.asset, {_EARNED}, {_PAID_OUT}
        FROM ledger.entries_not_added_up(:org_id) e
        JOIN owned o ON o.id = e.account_id JOIN ledger.transfers t ON t.id = e.transfer_id
        WHERE (CAST(:since AS timestamptz) IS NULL OR e.effective_at >= :since)
          AND (CAST(:until AS timestamptz) IS NULL OR e.effective_at < :until)
        {{parts}}
    ) f GROUP BY f.agent_id, f.asset
"""
_PARTS = f"""
        UNION ALL
        SELECT o.agent_id, o.asset, {_EARNED}, {_PAID_OUT}
        FROM owned o JOIN ledger.entries e ON e.account_id = o.id JOIN ledger.transfers t ON t.id = e.transfer_id
        JOIN unnest(CAST(:begins AS timestamptz[]), CAST(:ends AS timestamptz[])) AS p (begins, ends)
            ON e.effective_at >= p.begins AND e.effective_at < p.ends
        WHERE e.transfer_id <= (SELECT p.summed FROM ledger.accounting_place p)
"""
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Flow:
    """An agent's earnings in a period, and what was paid out or is being paid out, in minor units of the asset."""

    earned_minor: int
    paid_out_minor: int


async def earners(session: AsyncSession, org_id: str) -> Sequence[str]:
    return (await session.scalars(_AGENTS, {"org_id": org_id})).all()


def credit_share(
    agent_id: str, state: str, currency: str | None, amount_minor: int, worth_minor: int, first_in: timedelta | None
) -> EarningsShare:
    """Return a row of `credit_shares` as a share."""
    return EarningsShare(
        agent_id=agent_id,
        asset=CREDIT,
        state=PayableState(state),
        amount_minor=amount_minor,
        currency=currency,
        worth_minor=worth_minor,
        first_in=first_in,
    )


class CashRow(NamedTuple):
    """A row of `cash_shares`; amounts are minor units of the asset."""

    agent_id: str
    asset: str
    free: int
    young: int
    first_in: timedelta | None
    frozen: int
    young_frozen: int


def shares_in_cash(row: CashRow) -> list[EarningsShare]:
    """Return the parts of an agent's money that can be paid out, are held back, and are frozen."""
    # What the chargeback has already taken from the balance is not frozen as well.
    frozen = max(0, min(row.free, row.frozen))
    pending = min(row.free - frozen, max(0, row.young - max(0, row.young_frozen)))
    parts = (
        (PayableState.AVAILABLE, row.free - pending - frozen),
        (PayableState.FROZEN, frozen),
        (PayableState.PENDING, pending),
    )
    return [
        EarningsShare(
            agent_id=row.agent_id,
            asset=row.asset,
            state=state,
            amount_minor=amount,
            currency=row.asset,
            worth_minor=amount,
            first_in=row.first_in if state is PayableState.PENDING else None,
        )
        for state, amount in parts
        if amount
    ]


async def shares(
    session: AsyncSession, windows: Mapping[str, HoldBackWindow], assets: Collection[str] | None = None
) -> list[EarningsShare]:
    """Return agents' earnings by state and currency; `windows` has the hold-back of each agent.

    `assets` are the assets of their balances, if known; otherwise all are read, which takes longer.
    """
    values = _values(windows)
    money = _MONEY if assets is None else sorted({*assets} - {CREDIT})
    rows = await session.execute(_SHARES, values) if assets is None or CREDIT in assets else ()
    found = [credit_share(row.agent_id, row.state, row.currency, row.amount, row.worth, row.first_in) for row in rows]
    for row in await session.execute(_CASH, {**values, "assets": money}) if money else ():
        found += shares_in_cash(CashRow(*row))
    return found


async def slices(session: AsyncSession, windows: Mapping[str, HoldBackWindow], currency: str) -> list[LotSlice]:
    """Return the lots of credits that can be paid out in a currency, oldest first, `MAX_SLICES` at most."""
    values = {**_values(windows), "currency": currency, "most": MAX_SLICES}
    return [
        LotSlice(
            lot_id=row.id,
            agent_id=row.agent_id,
            free_minor=row.free,
            lot_minor=row.amount,
            gone_minor=row.gone,
            paid_minor=row.paid,
            costed_minor=row.costed,
        )
        for row in await session.execute(_SLICES, values)
    ]


async def is_frozen(session: AsyncSession, payout: Payout, windows: Mapping[str, HoldBackWindow]) -> bool:
    """Return whether earnings of a payout are charged back, and their creator is liable for them.

    Money has no lots: its earnings are, if more is charged back than the agent's balance covers.
    """
    values = _values(windows)
    path = accounts.payout(payout.payout_id, CREDIT, payout.org_id).path
    if await session.scalar(_FROZEN, {**values, "path": path}):
        return True
    paying = {line.agent_id for line in payout.lines if line.asset == payout.currency}
    return any(
        row.agent_id in paying and row.asset == payout.currency and row.frozen > row.free
        for row in await session.execute(_CASH, {**values, "assets": [payout.currency]})
    )


def _values(windows: Mapping[str, HoldBackWindow]) -> dict[str, object]:
    return {
        "agents": list(windows),
        "cutoffs": [window.cutoff for window in windows.values()],
        "answers": [window.liability_period for window in windows.values()],
        "sales_cutoffs": [window.sales_cutoff for window in windows.values()],
    }


def _whole_days(
    since: datetime | None, until: datetime | None
) -> tuple[date | None, date | None, list[tuple[datetime, datetime]]]:
    """Return the first whole day (UTC) of a period, the day after its last, and the parts of days at its ends."""
    begins = None if since is None else since.astimezone(UTC)
    ends = None if until is None else until.astimezone(UTC)
    # If the period begins within a day, its first whole day is the next one.
    first = None if begins is None else _midnight(begins + _DAY - timedelta(microseconds=1))
    last = None if ends is None else _midnight(ends)
    if first is not None and last is not None and first > last:
        assert begins is not None
        assert ends is not None
        return last.date(), last.date(), [(begins, ends)]
    parts = []
    if begins is not None and first is not None and begins < first:
        parts.append((begins, first))
    if ends is not None and last is not None and last < ends:
        parts.append((last, ends))
    return first and first.date(), last and last.date(), parts


def _midnight(moment: datetime) -> datetime:
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)


async def flows(
    session: AsyncSession, org_id: str, agents: Sequence[str], *, since: datetime | None, until: datetime | None
) -> dict[tuple[str, str], Flow]:
    """Return what agents earned in `[since, until)` and what was paid out, by agent and asset.

    Whole days (UTC) are read from daily sums, and from the few entries that are not added to them yet. A bound within a
    day is slower: all entries of the accounts are read for it.
    """
    first, end, parts = _whole_days(since, until)
    values: dict[str, object] = {"org_id": org_id, "agents": list(agents), "since": since, "until": until}
    values |= {"first": first, "end": end}
    if parts:
        values |= {"begins": [part[0] for part in parts], "ends": [part[1] for part in parts]}
    rows = await session.execute(text(_FLOWS.format(parts=_PARTS if parts else "")), values)
    return {(row.agent_id, row.asset): Flow(row.earned, row.paid_out) for row in rows}
