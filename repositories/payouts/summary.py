"""The summary of an organization's money, in one statement: balances by family of accounts, and what makes them up.

Accounts of settled escrows are left out, because their number grows forever; live ones are found by their escrows.
`verify` proves that the left-out accounts are empty.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import asyncpg

from domain.common.accounts import org_credits
from domain.payouts.payable import EarningsShare, HoldBackWindow
from domain.payouts.summary import FAMILIES, FamilyBalance
from ledger.invariants import Invariant
from repositories.payouts.payable import DISPUTED, CashRow, cash_shares, credit_share, credit_shares, shares_in_cash

#: The maximum length of each list in a summary.
MAX_LISTED = 100

_LIVE = "p.status IN ('open', 'funded', 'delivered', 'disputed')"
#: The accounts in a summary; `{of}` is the condition on the organization.
_STANDING = f"""
    SELECT a.org_id, a.path, a.asset, b.posted, b.pending_out
    FROM ledger.accounts a JOIN ledger.balances b ON b.account_id = a.id
    WHERE a.path NOT LIKE 'escrow/%' AND a.org_id {{of}}
    UNION ALL
    SELECT a.org_id, a.path, a.asset, b.posted, b.pending_out
    FROM public.escrow_parties p
    JOIN ledger.accounts a ON a.path = 'escrow/' || p.escrow_id AND a.org_id = p.org_id
    JOIN ledger.balances b ON b.account_id = a.id
    WHERE {_LIVE} AND p.org_id {{of}}
"""
#: Agents with earnings. With levels by reputation each agent has its own hold-back, which is read elsewhere.
_EARNING = """
    (SELECT DISTINCT agent_id, $4::timestamptz AS cutoff, $5::interval AS answers, $6::timestamptz AS sales_cutoff
     FROM standing WHERE agent_id IS NOT NULL AND kind IN ('earnings', 'sales') AND {asset}
         AND $4 IS NOT NULL AND NOT EXISTS (SELECT FROM reputation_ladders)) AS g
"""
_MONEY = "(SELECT DISTINCT asset FROM standing WHERE agent_id IS NOT NULL AND asset <> 'CREDIT') AS m"
_CASH = cash_shares(_EARNING.format(asset="asset <> 'CREDIT'"), _MONEY, "disputed")
# Read by the index of chargebacks for each lot; a CTE would be scanned for each.
_CREDITS = credit_shares(_EARNING.format(asset="asset = 'CREDIT'"))
_MICROSECONDS = "(extract(epoch FROM first_in) * 1000000)::bigint"
_READ = f"""
WITH standing AS MATERIALIZED (
    SELECT min(path) AS path, kind, asset, agent_id, sum(posted)::bigint AS posted, sum(pending_out)::bigint AS held
    FROM (
        SELECT *, split_part(path, '/', 1) AS root, split_part(path, '/', 3) AS kind,
            CASE WHEN path LIKE 'agent/%' THEN split_part(path, '/', 2) END AS agent_id
        FROM ({_STANDING.format(of="= $1")}) accounts
    ) named
    WHERE agent_id IS NULL OR posted <> 0 OR pending_out <> 0
    GROUP BY root, kind, agent_id, asset
), disputed AS MATERIALIZED (
    SELECT * FROM {DISPUTED} found
), live AS MATERIALIZED (
    SELECT e.id, e.contract_id, e.agent_id, e.org_id = $1 AS pays, e.payee_org_id = $1 AS earns, e.status, e.currency,
        e.next_deadline_at, e.funded_minor - e.released_minor - e.refunded_minor - e.commission_minor AS held
    FROM public.escrow_parties p JOIN escrows e ON e.id = p.escrow_id
    WHERE p.org_id = $1 AND {_LIVE} AND (e.org_id = $1 OR e.payee_org_id = $1)
        AND e.funded_minor > e.released_minor + e.refunded_minor + e.commission_minor
), wallet AS (
    SELECT id FROM ledger.accounts WHERE path = $3 AND asset = 'CREDIT'
)
SELECT
    (SELECT status FROM organizations WHERE id = $1) AS status,
    EXISTS (SELECT FROM reputation_ladders) AS has_levels,
    (SELECT jsonb_agg(jsonb_build_array(path, asset, agent_id, posted, held) ORDER BY path, asset)
        FROM standing)::text AS standings,
    (SELECT jsonb_agg(jsonb_build_array(
        agent_id, asset, free, young, {_MICROSECONDS}, frozen, young_frozen
    )) FROM ({_CASH}) cash)::text AS cash,
    (SELECT jsonb_agg(jsonb_build_array(
        agent_id, state, currency, amount, worth, {_MICROSECONDS}
    )) FROM ({_CREDITS}) credit)::text AS credits,
    (SELECT jsonb_agg(jsonb_build_array(currency, held, due_at) ORDER BY currency) FROM (
        SELECT currency, sum(held)::bigint AS held, min(next_deadline_at) AS due_at FROM live WHERE earns
        GROUP BY currency
    ) pending)::text AS pending,
    (SELECT jsonb_agg(to_jsonb(chosen) ORDER BY next_deadline_at, id) FROM (
        SELECT * FROM live ORDER BY next_deadline_at, id LIMIT {MAX_LISTED + 1}
    ) chosen)::text AS escrows,
    (SELECT coalesce(sum(l.remaining - l.held), 0)::bigint FROM ledger.lots l, wallet
        WHERE l.account_id = wallet.id AND l.is_open AND l.lapses AND l.expires_at <= $2) AS expired,
    (SELECT jsonb_agg(jsonb_build_array(free, expires_at) ORDER BY expires_at, id) FROM (
        SELECT l.id, l.expires_at, l.remaining - l.held AS free FROM ledger.lots l, wallet
        WHERE l.account_id = wallet.id AND l.is_open AND l.lapses AND l.expires_at > $2 AND l.remaining > l.held
        ORDER BY l.expires_at LIMIT {MAX_LISTED + 1}
    ) lots)::text AS expiring,
    (SELECT jsonb_agg(to_jsonb(due) ORDER BY due_at, id) FROM (
        SELECT id, number, currency, due_at, total_minor,
            total_minor - paid_minor - prepaid_minor - rounded_minor - credited_minor - written_off_minor AS due_minor
        FROM invoices WHERE org_id = $1 AND status = 'open' ORDER BY due_at, id LIMIT {MAX_LISTED + 1}
    ) due)::text AS invoices
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingInEscrow:
    """The amount that escrows hold in an asset for an organization's agents, before commission; the next deadline."""

    asset: str
    held_minor: int
    due_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveEscrow:
    id: str
    contract_id: str
    agent_id: str
    pays: bool
    earns: bool
    status: str
    currency: str
    held: int
    next_deadline_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DueInvoice:
    """An open invoice; amounts are minor units of its currency."""

    id: str
    number: str | None
    currency: str
    due_at: datetime
    total_minor: int
    due_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SummaryRow:
    """The result of the statement. A list with more than `MAX_LISTED` rows has one extra row.

    Attributes:
        status: of the organization; None if there is none.
        has_levels: whether there are levels by reputation. Then `shares` is empty, because they differ by level.
        shares: earnings by state.
        expired_minor: expired credits in the wallet that are not booked as expired yet.
        expiring: the free amounts of lots that will expire, each with its time, soonest first.
    """

    status: str | None
    has_levels: bool
    standings: Sequence[FamilyBalance]
    shares: Sequence[EarningsShare]
    pending: Sequence[PendingInEscrow]
    escrows: Sequence[LiveEscrow]
    expired_minor: int
    expiring: Sequence[tuple[int, datetime]]
    invoices: Sequence[DueInvoice]


async def read(
    connection: asyncpg.Connection, org_id: str, now: datetime, window: HoldBackWindow | None = None
) -> SummaryRow:
    """Read the summary of an organization, in one statement and so from one snapshot. Needs the platform's role.

    Args:
        connection: in a transaction or not.
        org_id: the organization.
        now: the time by which credits have expired or not.
        window: the hold-back of agents without a level; without it there are no `shares`.
    """
    held_back = (None,) * 3 if window is None else (window.cutoff, window.liability_period, window.sales_cutoff)
    row = await connection.fetchrow(_READ, org_id, now, org_credits(org_id).path, *held_back)
    assert row is not None
    cash = [
        CashRow(agent_id, asset, free, young, _span(first_in), frozen, young_frozen)
        for agent_id, asset, free, young, first_in, frozen, young_frozen in json.loads(row["cash"] or "[]")
    ]
    credit = [
        credit_share(agent_id, state, currency, amount, worth, _span(first_in))
        for agent_id, state, currency, amount, worth, first_in in json.loads(row["credits"] or "[]")
    ]
    return SummaryRow(
        status=row["status"],
        has_levels=row["has_levels"],
        standings=[
            FamilyBalance(path=path, asset=asset, agent_id=agent_id, posted_minor=posted, held_minor=held)
            for path, asset, agent_id, posted, held in json.loads(row["standings"] or "[]")
        ],
        shares=[*credit, *(share for each in cash for share in shares_in_cash(each))],
        pending=[
            PendingInEscrow(asset=asset, held_minor=held, due_at=_time(due_at))
            for asset, held, due_at in json.loads(row["pending"] or "[]")
        ],
        escrows=[
            LiveEscrow(**{**found, "next_deadline_at": _time(found["next_deadline_at"])})
            for found in json.loads(row["escrows"] or "[]")
        ],
        expired_minor=row["expired"],
        expiring=[(free, datetime.fromisoformat(at)) for free, at in json.loads(row["expiring"] or "[]")],
        invoices=[
            DueInvoice(**{**found, "due_at": datetime.fromisoformat(found["due_at"])})
            for found in json.loads(row["invoices"] or "[]")
        ],
    )


def _span(microseconds: int | None) -> timedelta | None:
    return None if microseconds is None else timedelta(microseconds=microseconds)


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


_KNOWN = ", ".join(f"'{family}'" for family in FAMILIES)
#: What `verify` proves about summaries and the books.
INVARIANTS = (
    Invariant(
        name="each account of an organization feeds one part of its summary",
        table="ledger.accounts",
        unit="accounts",
        violations=f"""
        SELECT path || ' of ' || org_id FROM ledger.accounts
        WHERE org_id IS NOT NULL AND split_part(path, '/', 1) || '/' || split_part(path, '/', 3) NOT IN ({_KNOWN})
        """,
    ),
    Invariant(
        name="the parts of each organization's summary add up to its accounts",
        table="public.organizations",
        unit="organizations",
        violations=f"""
        SELECT org_id || ' ' || asset || ': summary ' || coalesce(s.posted, 0) || ' held ' || coalesce(s.held, 0) ||
            ', books ' || b.posted || ' held ' || b.held
        FROM (
            SELECT org_id, asset, sum(posted) AS posted, sum(pending_out) AS held FROM ledger.balances
            WHERE org_id IN (SELECT id FROM public.organizations) GROUP BY org_id, asset
        ) b
        LEFT JOIN (
            SELECT org_id, asset, sum(posted) AS posted, sum(pending_out) AS held
            FROM ({_STANDING.format(of="IN (SELECT id FROM public.organizations)")}) accounts GROUP BY org_id, asset
        ) s USING (org_id, asset)
        WHERE (coalesce(s.posted, 0), coalesce(s.held, 0)) <> (b.posted, b.held)
        """,
    ),
)
