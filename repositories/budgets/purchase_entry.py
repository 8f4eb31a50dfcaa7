"""Writes the log of purchase orders."""

from dataclasses import asdict

from sqlalchemy import insert

from domain.budgets.economics import PurchaseEntry
from models.budgets.purchase_entry import PurchaseEntryRow
from repositories.common.batched import Writes


async def record(session: Writes, entry: PurchaseEntry) -> None:
    """Write an entry in the transaction of its fact. `session` has the platform's role."""
    await session.execute(insert(PurchaseEntryRow).values(asdict(entry)))
