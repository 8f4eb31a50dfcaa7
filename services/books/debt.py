"""Debts of organizations, and their payment from incoming money.

To change a debt, take its lock (`repositories.books.debt.lock`) before the lock of any balance.
"""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from domain.common import accounts
from domain.common.accounts import Account
from domain.common.money import CREDIT, SCALES
from ledger.gateway import Ledger
from repositories.messages import alert


async def owed_minor(ledger: Ledger, org_id: str, asset: str) -> int:
    """Return an organization's debt in an asset; the caller holds the lock of its debts."""
    return max(0, -(await ledger.balance(accounts.org_debt(org_id, asset))).posted_minor)


async def owed_in_all(ledger: Ledger, org_id: str) -> dict[str, int]:
    """Return an organization's debts by asset, credits first; without a lock they may already have changed."""
    assets = [CREDIT, *(asset for asset in SCALES if asset != CREDIT)]
    balances = await ledger.balances([accounts.org_debt(org_id, asset) for asset in assets])
    found = zip(assets, balances, strict=True)
    return {asset: -balance.posted_minor for asset, balance in found if balance.posted_minor < 0}


async def close_paid_debts(session: AsyncSession, ledger: Ledger, org_id: str, asset: str) -> None:
    """Close the alerts of an organization's debt in an asset once it is paid; call it after the posting."""
    if not await owed_minor(ledger, org_id, asset):
        await alert.close_debts(session, org_id, asset)


async def settle_debt(ledger: Ledger, *, org_id: str, source: Account, key: str, reference: str, at: datetime) -> None:
    """Pay an organization's debt from its own or an agent's account.

    The caller holds the lock of its debts, and of all balances that its transaction posts to.
    """
    owed = await owed_minor(ledger, org_id, source.asset)
    if not owed:
        return
    [there] = await ledger.available([source], at)
    amount = min(owed, max(0, there))
    if amount:
        await ledger.post(
            key=key,
            kind="debt.paid",
            source=source,
            destination=accounts.org_debt(org_id, source.asset),
            amount_minor=amount,
            effective_at=at,
            reference=reference,
            org_id=org_id,
        )
