"""SQL of agents' earnings, read from the ledger."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from domain.common import accounts
from domain.common.accounts import Account
from domain.common.money import CREDIT
from domain.payouts.earnings import EarningsKind, renew_days_of
from domain.payouts.payable import HoldBackWindow
from repositories.payouts.payable import DISPUTED

#: The maximum number of accounts that a clawback debits in its one transaction, so that nobody can make it endless with
#: very many agents that have earned very little.
MAX_ACCOUNTS = 1_000

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
    """Return accounts of an organization's agents that together cover an amount, `MAX_ACCOUNTS` at most.

    Payments by the organization to its own agents come first, then granted credits, then the largest paid earnings.
    """
    values = {"org_id": org_id, "asset": asset, "amount": amount_minor, "most": MAX_ACCOUNTS}
    found = await session.execute(_SEIZABLE, values)
    return [_OF[row.kind](row.agent_id, asset, org_id) for row in found]


#: The first entry of each account, by the primary key. The condition on paths is that of an index.
_FIRST = text(
    """
    SELECT min(t.effective_at) FROM ledger.accounts a
    CROSS JOIN LATERAL (
        SELECT transfer_id FROM ledger.entries WHERE account_id = a.id ORDER BY version LIMIT 1
    ) e
    JOIN ledger.transfers t ON t.id = e.transfer_id
    WHERE a.org_id = :org_id AND a.path NOT LIKE 'escrow/%' AND a.path LIKE 'agent/%/earnings/%'
    """
)


async def first_at(session: AsyncSession, org_id: str) -> datetime | None:
    """Return when an organization first earned something; None if it never did."""
    first: datetime | None = await session.scalar(_FIRST, {"org_id": org_id})
    return first


_OWN_WORK = text(
    """
    SELECT g.id, b.posted - b.pending_out AS amount
    FROM agents g
    JOIN ledger.accounts a ON a.path = 'agent/' || g.id || '/own_work/' || :asset AND a.asset = :asset
    JOIN ledger.balances b ON b.account_id = a.id AND b.posted > b.pending_out
    WHERE g.org_id = :org_id ORDER BY g.id
    """
)


async def own_work(session: AsyncSession, org_id: str, asset: str) -> dict[str, int]:
    """Return the balances of an organization's payments to its own agents, by agent."""
    rows = await session.execute(_OWN_WORK, {"org_id": org_id, "asset": asset})
    return {row.id: row.amount for row in rows}


_LOTS = text(
    """
    SELECT g.id AS agent_id, l.id AS lot_id, l.remaining - l.held AS amount, c.some AS is_convertible
    FROM agents g
    JOIN ledger.accounts a ON a.path = 'agent/' || g.id || '/' || :kind || '/CREDIT' AND a.asset = 'CREDIT'
    CROSS JOIN LATERAL (SELECT ledger.convertible(a.id, CAST(:days AS integer), :at) > 0 AS some OFFSET 0) c
    JOIN ledger.lots l ON l.account_id = a.id AND l.is_open AND l.remaining > l.held
    WHERE g.org_id = :org_id ORDER BY g.id, l.id
    """
)


@dataclass(frozen=True, slots=True)
class EarnedLot:
    agent_id: str
    lot_id: UUID
    amount: int
    is_convertible: bool


async def lots(
    session: AsyncSession, org_id: str, kind: EarningsKind, *, days: int | None, at: datetime
) -> Sequence[EarnedLot]:
    """Return the lots of credits that an organization's agents have earned of a kind.

    `days` is the minimum validity of converted credits.
    """
    values = {"org_id": org_id, "kind": _NAMED[kind], "days": days, "at": at}
    rows = await session.execute(_LOTS, values)
    return [EarnedLot(row.agent_id, row.lot_id, row.amount, row.is_convertible) for row in rows]


#: The last part of the path of an account with earnings of a kind.
_NAMED = {EarningsKind.GRANTED: "granted_earnings", EarningsKind.OWN_WORK: "own_work", EarningsKind.PAID: "earnings"}
_AGENTS = text(
    """
    SELECT id FROM agents WHERE org_id = :org_id AND (CAST(:before AS text) IS NULL OR id < :before)
        AND (CAST(:agent_id AS text) IS NULL OR id = :agent_id)
    ORDER BY id DESC LIMIT :limit
    """
)


def _frozen(answers: str) -> str:
    """Return the query of charged-back payments behind account `a`'s open lots.

    It has one row: a JSON object of payment ids with the start of the creator's liability.

    Args:
        answers: an SQL interval: the liability period before the opening of a chargeback.
    """
    return f"""
        SELECT jsonb_object_agg(d.payment_id, d.since) AS payments FROM (
            SELECT d.payment_id, min(d.opened_at) - {answers} AS since FROM {DISPUTED} d
            WHERE d.payment_id IN (
                SELECT l.payment_id FROM ledger.lots l WHERE l.account_id = a.id AND l.is_open
            )
            GROUP BY d.payment_id
        ) d
    """


_FROZEN = text(
    f"""
    SELECT f.payments FROM ledger.accounts a, LATERAL ({_frozen("CAST(:answers AS interval)")}) f
    WHERE a.path = :path AND a.asset = :asset
    """
)
_PAGE = text(
    f"""
    SELECT g.id, k.kind, coalesce(b.posted - b.pending_out, 0)::bigint AS amount,
        CASE WHEN b.posted > b.pending_out THEN ledger.convertible(a.id, k.days, :at, :sold_until, f.payments)
            ELSE 0 END AS convertible,
        (
            SELECT min(l.opened_at) FROM ledger.lots l JOIN ledger.transfers t ON t.id = l.transfer_id
            WHERE l.account_id = a.id AND l.is_open AND l.remaining > l.held AND l.opened_at > :sold_until
                AND t.kind = 'marketplace.sold'
        ) AS sold_at
    FROM unnest(CAST(:agents AS text[]), CAST(:answers AS interval[])) AS g (id, answers)
    CROSS JOIN unnest(CAST(:kinds AS text[]), CAST(:names AS text[]), CAST(:days AS integer[])) AS k (kind, name, days)
    LEFT JOIN ledger.accounts a ON a.path = 'agent/' || g.id || '/' || k.name || '/' || :asset AND a.asset = :asset
    LEFT JOIN ledger.balances b ON b.account_id = a.id
    LEFT JOIN LATERAL ({_frozen("g.answers")}) f ON k.kind = 'paid'
    ORDER BY g.id DESC
    """
)
_CONVERTIBLE = text(
    """
    SELECT ledger.convertible(a.id, :days, :at, :sold_until, CAST(:frozen AS jsonb)) FROM ledger.accounts a
    WHERE a.path = :path AND a.asset = :asset
    """
)


@dataclass(frozen=True, slots=True)
class KindEarnings:
    """Earnings of one kind, and the convertible part of them, in minor units.

    `sold_at` is the time of the first sale that is not convertible yet, because it can still be refunded.
    """

    amount: int
    convertible: int
    sold_at: datetime | None


@dataclass(frozen=True, slots=True)
class AgentEarnings:
    id: str
    earned: Mapping[EarningsKind, KindEarnings]


async def agents_page(
    session: AsyncSession, *, org_id: str, agent_id: str | None = None, before: str | None, limit: int
) -> Sequence[str]:
    """Return up to `limit` agents of an organization, newest first, before the id `before`.

    With `agent_id`, only that agent.
    """
    values = {"org_id": org_id, "agent_id": agent_id, "before": before, "limit": limit}
    return (await session.scalars(_AGENTS, values)).all()


async def of_agents(
    session: AsyncSession, windows: Mapping[str, HoldBackWindow], *, days: int, at: datetime, sold_until: datetime
) -> list[AgentEarnings]:
    """Return the earnings of agents, newest first; `windows` has the liability period of each.

    `days` is the minimum validity of converted credits. Sales after `sold_until` and payments that are being charged
    back cannot be converted. Needs the platform's session.
    """
    values = {
        "agents": list(windows),
        "answers": [window.liability_period for window in windows.values()],
        "asset": CREDIT,
        "at": at,
        "sold_until": sold_until,
        "kinds": [kind.value for kind in _NAMED],
        "names": list(_NAMED.values()),
        "days": [renew_days_of(kind, days) for kind in _NAMED],
    }
    found: dict[str, dict[EarningsKind, KindEarnings]] = {}
    for row in await session.execute(_PAGE, values):
        found.setdefault(row.id, {})[EarningsKind(row.kind)] = KindEarnings(row.amount, row.convertible, row.sold_at)
    return [AgentEarnings(agent_id, earned) for agent_id, earned in found.items()]


async def convertible(
    session: AsyncSession,
    account: Account,
    *,
    days: int | None,
    at: datetime,
    sold_until: datetime,
    frozen: Mapping[str, datetime] | None = None,
) -> int:
    """Return the convertible part of an account of earnings; 0 if it was never opened.

    Earnings from a `frozen` payment since its time are not convertible.
    """
    without = {payment_id: since.isoformat() for payment_id, since in (frozen or {}).items()}
    values = {"path": account.path, "asset": account.asset, "days": days, "at": at, "sold_until": sold_until}
    return int(await session.scalar(_CONVERTIBLE, {**values, "frozen": json.dumps(without) if without else None}) or 0)


async def frozen(session: AsyncSession, account: Account, liability_period: timedelta) -> dict[str, datetime]:
    """Return charged-back payments behind an account's lots, each with the start of the creator's liability."""
    values = {"path": account.path, "asset": account.asset, "answers": liability_period}
    found: Mapping[str, str] = await session.scalar(_FROZEN, values) or {}
    return {payment_id: datetime.fromisoformat(since) for payment_id, since in found.items()}
