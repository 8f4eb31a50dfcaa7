"""What the agents of an organization have, as the books have it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from domain import accounts
from domain.accounts import Account
from domain.earnings import EarningsKind, renew_days_of
from domain.money import CREDIT

#: From so many accounts at most a clawback takes: it is one transaction, and whoever makes agents and pays each of them
#: next to nothing must not make it one that never ends.
MOST_RECOVERED = 1_000

_OF: Mapping[str, Callable[[str, str, str], Account]] = {
    "own_work": accounts.agent_own_work,
    "granted_earnings": lambda agent_id, _, org_id: accounts.agent_granted_earnings(agent_id, org_id),
    "earnings": accounts.agent_earnings,
}
_SEIZABLE = text(
    """
    SELECT agent_id, kind FROM (
        SELECT agent_id, kind, available,
            sum(available) OVER (ORDER BY kind DESC, available DESC, agent_id) - available AS before
        FROM (
            SELECT g.id AS agent_id, k.kind, b.posted - b.pending_out AS available
            FROM agents g CROSS JOIN (VALUES ('own_work'), ('granted_earnings'), ('earnings')) AS k (kind)
            JOIN ledger.accounts a ON a.path = 'agent/' || g.id || '/' || k.kind || '/' || :asset AND a.asset = :asset
            JOIN ledger.balances b ON b.account_id = a.id
            WHERE g.org_id = :org_id AND b.posted > b.pending_out
            ORDER BY available DESC, g.id, k.kind LIMIT :most
        ) AS largest
    ) AS running
    WHERE before < :amount
    ORDER BY before
    """
)


async def recoverable(session: AsyncSession, org_id: str, asset: str, amount_minor: int) -> Sequence[Account]:
    """Return the accounts of an organization's agents that cover an amount together, or the `MOST_RECOVERED` largest.

    What the organization paid to its own agents comes first, then what they earned that nobody paid for, then the
    largest earnings.
    """
    values = {"org_id": org_id, "asset": asset, "amount": amount_minor, "most": MOST_RECOVERED}
    found = await session.execute(_SEIZABLE, values)
    return [_OF[row.kind](row.agent_id, asset, org_id) for row in found]


#: The last part of the path of the account that has earnings of a kind.
_NAMED = {EarningsKind.GRANTED: "granted_earnings", EarningsKind.OWN_WORK: "own_work", EarningsKind.PAID: "earnings"}
_PAGE = text(
    """
    SELECT g.id, k.kind, coalesce(b.posted - b.pending_out, 0)::bigint AS amount,
        CASE WHEN b.posted > b.pending_out THEN ledger.convertible(a.id, k.days, :at, :sold_until) ELSE 0 END
            AS convertible,
        (
            SELECT min(l.opened_at) FROM ledger.lots l JOIN ledger.transfers t ON t.id = l.transfer_id
            WHERE l.account_id = a.id AND l.is_open AND l.remaining > l.held AND l.opened_at > :sold_until
                AND t.kind = 'marketplace.sold'
        ) AS sold_at
    FROM (
        SELECT id FROM agents WHERE org_id = :org_id AND (CAST(:before AS text) IS NULL OR id < :before)
            AND (CAST(:agent_id AS text) IS NULL OR id = :agent_id)
        ORDER BY id DESC LIMIT :limit
    ) g
    CROSS JOIN unnest(CAST(:kinds AS text[]), CAST(:names AS text[]), CAST(:days AS integer[])) AS k (kind, name, days)
    LEFT JOIN ledger.accounts a ON a.path = 'agent/' || g.id || '/' || k.name || '/' || :asset AND a.asset = :asset
    LEFT JOIN ledger.balances b ON b.account_id = a.id
    ORDER BY g.id DESC
    """
)
_CONVERTIBLE = text(
    """
    SELECT ledger.convertible(a.id, :days, :at, :sold_until) FROM ledger.accounts a
    WHERE a.path = :path AND a.asset = :asset
    """
)


@dataclass(frozen=True, slots=True)
class Earned:
    """What there is of one kind, and what of it can become credits, in minor units.

    `sold_at` is the first sale whose buyer may still give the agent back; what it brought can be converted afterwards.
    """

    amount: int
    convertible: int
    sold_at: datetime | None


@dataclass(frozen=True, slots=True)
class AgentEarnings:
    """What an agent has earned in credits, by kind."""

    id: str
    earned: Mapping[EarningsKind, Earned]


async def page(
    session: AsyncSession,
    *,
    org_id: str,
    days: int,
    at: datetime,
    sold_until: datetime,
    agent_id: str | None = None,
    before: str | None,
    limit: int,
) -> list[AgentEarnings]:
    """Return what up to `limit` agents of an organization have, newest agents first, those before the id `before`.

    With `agent_id`, it is what this one has.

    `days` is what earnings get that would end sooner, and what was sold after `sold_until` waits. Needs the platform's
    session.
    """
    values = {
        "org_id": org_id,
        "asset": CREDIT,
        "at": at,
        "sold_until": sold_until,
        "before": before,
        "agent_id": agent_id,
        "limit": limit,
        "kinds": [kind.value for kind in _NAMED],
        "names": list(_NAMED.values()),
        "days": [renew_days_of(kind, days) for kind in _NAMED],
    }
    found: dict[str, dict[EarningsKind, Earned]] = {}
    for row in await session.execute(_PAGE, values):
        found.setdefault(row.id, {})[EarningsKind(row.kind)] = Earned(row.amount, row.convertible, row.sold_at)
    return [AgentEarnings(agent_id, earned) for agent_id, earned in found.items()]


async def convertible(
    session: AsyncSession, account: Account, *, days: int | None, at: datetime, sold_until: datetime
) -> int:
    """Return how much of an account of earnings can become credits; 0 for one that was never opened."""
    values = {"path": account.path, "asset": account.asset, "days": days, "at": at, "sold_until": sold_until}
    return int(await session.scalar(_CONVERTIBLE, values) or 0)
