"""Locks and reads debts of organizations, which are balances of the ledger."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from domain.common.accounts import Account
from ledger.invariants import Invariant


async def lock(session: AsyncSession, org_id: str) -> None:
    """Lock the debts of an organization until the transaction ends."""
    await session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"debt:{org_id}", 0))))


async def paid_by(session: AsyncSession, account: Account, since: datetime) -> tuple[UUID, ...]:
    """Return the transfers by which an organization has paid a debt from its own balance since a time, newest first.

    Payments by creators, from recoveries, are left out.
    """
    found = await session.scalars(
        text(
            """
            SELECT DISTINCT e.transfer_id FROM ledger.accounts a
            JOIN ledger.entries e ON e.account_id = a.id AND e.amount > 0 AND e.effective_at >= :since
            WHERE a.path = :path AND a.asset = :asset AND NOT EXISTS (
                SELECT FROM ledger.transfers t WHERE t.id = e.transfer_id AND t.kind = 'earnings.recovered'
            )
            ORDER BY e.transfer_id DESC LIMIT 1000
            """
        ),
        {"path": account.path, "asset": account.asset, "since": since},
    )
    return tuple(found)


#: The invariants of debts by chargebacks and of receivables, proved by `verify`.
INVARIANTS = (
    Invariant(
        name="no debt or receivable of an organization is above zero",
        table="ledger.accounts",
        unit="accounts",
        violations="""
        SELECT a.path || ' ' || a.asset || ' (' || a.id || '): ' || sum(b.posted)
        FROM ledger.accounts a JOIN ledger.balances b ON b.account_id = a.id
        WHERE a.path LIKE 'org/%/debt/%' OR a.path LIKE 'org/%/receivable/%'
        GROUP BY a.id HAVING sum(b.posted) > 0
        """,
    ),
)
