"""The methods that organizations declare. Writing needs a platform session; tenants read their own."""

from collections.abc import Sequence

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from domain.budgets.policy import Method, MethodKind, fee_for
from models.budgets.purchase_method import PurchaseMethod
from repositories.common.required import get_required

MISSING = "There is no such purchase method."


async def get(session: AsyncSession, method_id: str) -> PurchaseMethod:
    return await get_required(session, PurchaseMethod, method_id, "pmd", MISSING)


async def listed(session: AsyncSession, org_id: str) -> Sequence[PurchaseMethod]:
    query = select(PurchaseMethod).where(PurchaseMethod.org_id == org_id)
    return (await session.scalars(query.order_by(PurchaseMethod.rank, PurchaseMethod.name))).all()


async def count_attempt(session: AsyncSession, org_id: str, name: str, *, succeeded: bool) -> None:
    counted = update(PurchaseMethod).where(PurchaseMethod.org_id == org_id, PurchaseMethod.name == name)
    await session.execute(
        counted.values(
            attempts=PurchaseMethod.attempts + 1, succeeded=PurchaseMethod.succeeded + (1 if succeeded else 0)
        ).execution_options(synchronize_session=False)
    )


def method_of(row: PurchaseMethod, *, amount_minor: int, currency: str) -> Method:
    """Return the method of a row, with its expected fee for an amount. A fixed fee in another currency is not known."""
    fee = None
    is_known = row.fee_share_e4 is not None or row.fee_fixed is not None
    if is_known and (not row.fee_fixed or row.fee_currency == currency):
        fee = fee_for(amount_minor, share_e4=row.fee_share_e4 or 0, fixed_minor=row.fee_fixed or 0)
    return Method(
        name=row.name,
        label=row.label,
        kind=MethodKind(row.kind),
        fee_minor=fee,
        rank=row.rank,
        attempts=row.attempts,
        succeeded=row.succeeded,
    )
