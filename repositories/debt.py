"""What organizations owe is a balance of the books; what is here keeps it to one writer at a time."""

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from ledger.invariants import Invariant


async def lock(session: AsyncSession, org_id: str) -> None:
    """Let one transaction at a time decide what an organization owes, until it ends."""
    await session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"debt:{org_id}", 0))))


#: What `verify` proves about the accounts of what organizations owe, by chargebacks and by invoices.
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
