"""What of the earnings of an organization's agents can be paid out, by the books. Needs the platform's session."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from domain.payable import PayableState, Share, Slice

#: So many lots at most are paid out at once: it is one transaction.
MOST_SLICES = 2_000

_OPEN_DISPUTES = "d.status IN ('inquiry', 'needs_response', 'under_review')"
#: The lots of earnings in credits, each with what it is: an open chargeback of what paid for it freezes it at any age.
_LOTS = f"""
    SELECT g.agent_id, l.*, l.remaining - l.held AS free, CASE
        WHEN l.paid = 0 THEN 'granted'
        WHEN EXISTS (
            SELECT FROM payment_disputes d WHERE d.payment_id = l.payment_id AND {_OPEN_DISPUTES}
        ) THEN 'frozen'
        WHEN l.opened_at > g.cutoff THEN 'pending' ELSE 'available' END AS state
    FROM unnest(CAST(:agents AS text[]), CAST(:cutoffs AS timestamptz[])) AS g (agent_id, cutoff)
    JOIN ledger.accounts a ON a.path = 'agent/' || g.agent_id || '/earnings/CREDIT' AND a.asset = 'CREDIT'
    JOIN ledger.lots l ON l.account_id = a.id AND l.is_open AND l.remaining > l.held
"""
_SHARES = text(
    f"""
    SELECT agent_id, state, paid_asset AS currency, sum(free)::bigint AS amount,
        sum(ledger.slice_cost(paid, costed, amount, amount - remaining + free))::bigint AS worth
    FROM ({_LOTS}) lots GROUP BY agent_id, state, paid_asset ORDER BY agent_id, state, paid_asset
    """
)
_SLICES = text(
    f"""
    SELECT id, agent_id, free, amount, amount - remaining AS gone, paid, costed FROM ({_LOTS}) lots
    WHERE state = 'available' AND paid_asset = :currency ORDER BY opened_at, id LIMIT :most
    """
)
#: Money has no lots: what came last is what is left, so what came since the cutoff is young. What comes back from a
#: payout was old enough before.
_CASH = text(
    f"""
    SELECT g.agent_id, a.asset, b.posted - b.pending_out AS free,
        coalesce((
            SELECT sum(e.amount) FROM ledger.entries e JOIN ledger.transfers t ON t.id = e.transfer_id
            WHERE e.account_id = a.id AND e.amount > 0 AND e.effective_at > g.cutoff AND t.kind <> 'payout.returned'
        ), 0)::bigint AS young,
        coalesce((
            SELECT sum(e.amount) FROM payment_disputes d
            JOIN payments p ON p.id = d.payment_id
            JOIN ledger.accounts s ON s.asset = a.asset
                AND s.path IN ('org/' || p.org_id || '/payments/' || p.id, 'escrow/' || p.escrow_id)
            JOIN ledger.entries o ON o.account_id = s.id AND o.amount < 0
            JOIN ledger.entries e ON e.transfer_id = o.transfer_id AND e.account_id = a.id AND e.amount > 0
            WHERE {_OPEN_DISPUTES}
        ), 0)::bigint AS frozen
    FROM unnest(CAST(:agents AS text[]), CAST(:cutoffs AS timestamptz[])) AS g (agent_id, cutoff)
    JOIN ledger.accounts a ON a.path LIKE 'agent/' || g.agent_id || '/earnings/%' AND a.asset <> 'CREDIT'
        AND a.path = 'agent/' || g.agent_id || '/earnings/' || a.asset
    JOIN ledger.balances b ON b.account_id = a.id
    WHERE b.posted > b.pending_out
    ORDER BY g.agent_id, a.asset
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
_FLOWS = text(
    """
    SELECT g.agent_id, a.asset,
        coalesce(sum(e.amount) FILTER (WHERE e.amount > 0 AND t.kind <> 'payout.returned'), 0)::bigint AS earned,
        coalesce(-sum(e.amount) FILTER (WHERE t.kind IN ('payout.requested', 'payout.returned')), 0)::bigint AS paid_out
    FROM unnest(CAST(:agents AS text[])) AS g (agent_id)
    JOIN ledger.accounts a ON a.path IN (
        SELECT 'agent/' || g.agent_id || '/' || k.kind || '/' || m.asset
        FROM (VALUES ('earnings'), ('granted_earnings'), ('own_work')) AS k (kind),
            (SELECT DISTINCT n.asset FROM ledger.accounts n WHERE n.org_id = :org_id) AS m
    )
    JOIN ledger.entries e ON e.account_id = a.id
    JOIN ledger.transfers t ON t.id = e.transfer_id
    WHERE (CAST(:since AS timestamptz) IS NULL OR e.effective_at >= :since)
      AND (CAST(:until AS timestamptz) IS NULL OR e.effective_at < :until)
    GROUP BY g.agent_id, a.asset
    """
)


@dataclass(frozen=True, slots=True)
class Flow:
    """What an agent earned in a period, and what was paid out or is on its way, in minor units of the asset."""

    earned_minor: int
    paid_out_minor: int


async def earners(session: AsyncSession, org_id: str) -> Sequence[str]:
    """Return the agents of an organization that have earnings."""
    return (await session.scalars(_AGENTS, {"org_id": org_id})).all()


async def shares(session: AsyncSession, cutoffs: Mapping[str, datetime]) -> list[Share]:
    """Return what agents have, by state and currency; `cutoffs` says until when earnings must have come."""
    values = {"agents": list(cutoffs), "cutoffs": list(cutoffs.values())}
    found = [
        Share(
            agent_id=row.agent_id,
            asset="CREDIT",
            state=PayableState(row.state),
            amount_minor=row.amount,
            currency=row.currency,
            worth_minor=row.worth,
        )
        for row in await session.execute(_SHARES, values)
    ]
    for row in await session.execute(_CASH, values):
        pending = min(row.free, row.young)
        frozen = min(row.free - pending, row.frozen)
        parts = (
            (PayableState.AVAILABLE, row.free - pending - frozen),
            (PayableState.FROZEN, frozen),
            (PayableState.PENDING, pending),
        )
        found += [
            Share(
                agent_id=row.agent_id,
                asset=row.asset,
                state=state,
                amount_minor=amount,
                currency=row.asset,
                worth_minor=amount,
            )
            for state, amount in parts
            if amount
        ]
    return found


async def slices(session: AsyncSession, cutoffs: Mapping[str, datetime], currency: str) -> list[Slice]:
    """Return the lots of credits that can be paid out in a currency, oldest first, `MOST_SLICES` at most."""
    values = {
        "agents": list(cutoffs),
        "cutoffs": list(cutoffs.values()),
        "currency": currency,
        "most": MOST_SLICES,
    }
    return [
        Slice(
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


async def flows(
    session: AsyncSession, org_id: str, agents: Sequence[str], *, since: datetime | None, until: datetime | None
) -> dict[tuple[str, str], Flow]:
    """Return what agents earned in `[since, until)` and what was paid out, by agent and asset."""
    values = {"org_id": org_id, "agents": list(agents), "since": since, "until": until}
    rows = await session.execute(_FLOWS, values)
    return {(row.agent_id, row.asset): Flow(row.earned, row.paid_out) for row in rows}
