"""What the agents of an organization have, as the books have it."""

from collections.abc import Callable, Mapping, Sequence

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from domain import accounts
from domain.accounts import Account

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
