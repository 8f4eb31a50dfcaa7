"""Purchase orders, their attempts, grants and refunds. `services/budgets/purchase_order.py` writes them."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from functools import partial
from math import ceil

from sqlalchemy import ColumnElement, and_, func, select, text, true
from sqlalchemy.ext.asyncio import AsyncSession

from domain.common.money import CREDIT
from domain.credits.spend.scope import SpendingKey
from ledger.spends import LiftedWindow
from models.budgets.purchase_order import PurchaseAttempt, PurchaseGrant, PurchaseOrder, PurchaseRefund
from models.credits.spend import PurchaseCount
from repositories.common.listing import ListFilter, Listing, ListPage, Part, of_owner, part_per_value
from repositories.common.required import get_required
from repositories.credits import lot_price
from repositories.credits.department import parts_of
from repositories.tenants import metadata

MISSING = "There is no such purchase order."
#: Of ids of purchase orders.
PREFIX = "por"


async def get(session: AsyncSession, order_id: str, *, lock: bool = False) -> PurchaseOrder:
    """Return an order as it is now; with `lock` it is locked until the transaction ends."""
    return await get_required(session, PurchaseOrder, order_id, PREFIX, MISSING, fresh=True, lock=lock)


async def attempts(session: AsyncSession, order_ids: Sequence[str]) -> Sequence[PurchaseAttempt]:
    if not order_ids:
        return []
    row = PurchaseAttempt
    query = select(row).where(row.order_id.in_(order_ids)).order_by(row.order_id, row.number)
    return (await session.scalars(query.execution_options(populate_existing=True))).all()


async def grants(session: AsyncSession, order_ids: Sequence[str]) -> Sequence[PurchaseGrant]:
    """Return the decisions of persons on orders, the first of each first."""
    if not order_ids:
        return []
    row = PurchaseGrant
    query = select(row).where(row.order_id.in_(order_ids)).order_by(row.order_id, row.at)
    return (await session.scalars(query)).all()


async def refund_of(session: AsyncSession, command_id: str) -> PurchaseRefund | None:
    """Return the refund that a command has reported; None for a new command."""
    return await session.get(PurchaseRefund, command_id)


async def counts(session: AsyncSession, order_id: str) -> Sequence[PurchaseCount]:
    """Return what an order counts in the ledger, in minor units of its currency."""
    row = PurchaseCount
    query = select(row).where(row.order_id == order_id).order_by(row.number)
    return (await session.scalars(query.execution_options(populate_existing=True))).all()


_MONEY = text("SELECT ledger.money_in(:amount, :asset, :in_asset, :at, false)")
_GIVEN_BACK = text("""
SELECT DISTINCT n.control_id, n."window"
FROM ledger.purchase_counts c JOIN ledger.counters n ON n.id = ANY (c.counted_in)
WHERE c.order_id = :order_id AND c.returned = c.amount AND c.changed_at = :at AND n.ends_at > :at
""")


async def released_windows(session: AsyncSession, order_id: str, *, at: datetime) -> list[LiftedWindow]:
    """Return the open windows in which an order counted until its hold was released, by this transaction at a time."""
    rows = await session.execute(_GIVEN_BACK, {"order_id": order_id, "at": at})
    return [LiftedWindow(row.control_id, row.window) for row in rows]


async def unconfirmed(session: AsyncSession, org_id: str, agent_id: str, *, limit: int) -> int:
    """Count the orders of an agent of which something waits to be confirmed, up to a limit."""
    row = PurchaseOrder
    whose = (row.org_id == org_id, row.agent_id == agent_id, row.unconfirmed_since.is_not(None))
    found = select(row.id).where(*whose).limit(limit).subquery()
    return (await session.scalars(select(func.count()).select_from(found))).one()


_BUDGET_ABOVE = text(
    """
    SELECT EXISTS (
        SELECT FROM ledger.controls_of(:org, :agent, :department, :project, NULL, :key, :at) c WHERE c.kind = 'budget'
    )
    """
)


async def has_budget(session: AsyncSession, order: PurchaseOrder, *, at: datetime) -> bool:
    """Return whether a budget counts what an order spends. Needs the platform's session."""
    values = {
        "org": order.org_id,
        "agent": order.agent_id,
        "department": order.department_id,
        "project": order.project_id,
        "key": order.key_id,
        "at": at,
    }
    return await session.scalar(_BUDGET_ABOVE, values) is True


_LIST = Listing(
    of=PurchaseOrder, order=[PurchaseOrder.id], prefix=PREFIX, amount="amount_minor", searched=("item", "vendor")
)


async def page(
    session: AsyncSession, wanted: ListFilter, *, of: SpendingKey | None = None, unconfirmed_only: bool = False
) -> ListPage[PurchaseOrder]:
    """Return a page of the orders that the session may see, newest first; with `of`, of those that are a key's own."""
    part: Part = of_owner(PurchaseOrder.org_id, wanted)
    if "agent_id" in wanted.equal:
        part = (*part, PurchaseOrder.agent_id == wanted.equal["agent_id"])
    if unconfirmed_only:
        part = (*part, PurchaseOrder.unconfirmed_since.is_not(None))
    part = (*part, *metadata.narrowed(PurchaseOrder.id, PREFIX, wanted.org_id, wanted.written))
    parts = [(*part, *state) for state in part_per_value(PurchaseOrder.status, wanted.statuses)]
    besides = None if of is None else partial(_own, key=of)
    return await _LIST.page(session, wanted, parts, served=("agent_id",), besides=besides)


async def is_own(session: AsyncSession, order: PurchaseOrder, key: SpendingKey) -> bool:
    """Return whether an order is a key's own: of its agent, or of its department with its parts and its project."""
    query = select(PurchaseOrder.id).where(PurchaseOrder.id == order.id, _own(PurchaseOrder, key))
    return await session.scalar(query) is not None


def _own(row: type[PurchaseOrder], key: SpendingKey) -> ColumnElement[bool]:
    if key.agent_id is not None:
        return row.agent_id == key.agent_id
    conditions = list[ColumnElement[bool]]()
    if key.attribution.department_id is not None:
        conditions.append(row.department_id.in_(parts_of(row.org_id, key.attribution.department_id)))
    if key.attribution.project_id is not None:
        conditions.append(row.project_id == key.attribution.project_id)
    return and_(true(), *conditions)


async def unanswered(session: AsyncSession, *, before: datetime, after: str, limit: int) -> Sequence[PurchaseOrder]:
    """Return orders whose time to answer was over by a time, by id, after the id `after`."""
    row = PurchaseOrder
    query = select(row).where(row.answer_by < before, row.id > after).order_by(row.id)
    return (await session.scalars(query.limit(limit))).all()


async def ended_holds(session: AsyncSession, *, now: datetime, after: str, limit: int) -> Sequence[str]:
    """Return the ids of approved orders whose hold has ended, by id; a hold of an unknown attempt does not end."""
    row = PurchaseOrder
    query = select(row.id).where(row.held_until <= now, row.unknown_since.is_(None), row.id > after)
    return (await session.scalars(query.order_by(row.id).limit(limit))).all()


async def due_renewals(session: AsyncSession, *, now: datetime, after: str, limit: int) -> Sequence[str]:
    """Return the ids of purchases whose next term has begun, by id."""
    row = PurchaseOrder
    query = select(row.id).where(row.renews_at <= now, row.id > after)
    return (await session.scalars(query.order_by(row.id).limit(limit))).all()


async def long_unknown(session: AsyncSession, *, before: datetime, after: str, limit: int) -> Sequence[PurchaseOrder]:
    """Return orders with an attempt whose result has been unknown since before a time, by id."""
    row = PurchaseOrder
    query = select(row).where(row.unknown_since < before, row.id > after).order_by(row.id)
    return (await session.scalars(query.limit(limit))).all()


async def worth_in(session: AsyncSession, order: PurchaseOrder, in_asset: str, *, at: datetime) -> int | None:
    """Return the amount of an order in another asset, rounded up, as budgets count it; None without a recent rate."""
    amount, asset = order.amount_minor, order.currency
    if in_asset == CREDIT:
        price = await lot_price.for_cost(session, order.org_id, Decimal(amount), asset, at=at)
        return None if price is None else price.credits_minor
    if asset == CREDIT:
        price = await lot_price.for_credits(session, order.org_id, amount, in_asset, at=at)
        return None if price is None else ceil(price.money)
    values = {"amount": amount, "asset": asset, "in_asset": in_asset, "at": at}
    found: int | None = await session.scalar(_MONEY, values)
    return found
