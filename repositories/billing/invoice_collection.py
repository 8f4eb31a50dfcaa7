"""Statements about collections of invoices: the state, its timeline, and those whose workflow was lost."""

from collections.abc import Sequence
from datetime import datetime

from pydantic import TypeAdapter
from sqlalchemy import and_, false, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from domain.billing.invoice.collection import FINAL, UNDER_WAY, Collection, CollectionStatus, InvoiceDue, Transition
from domain.billing.invoice.state import InvoiceStatus, PausedFor
from domain.payments.payment.state import AWAITING
from models.billing.invoice import InvoiceRow
from models.billing.invoice_collection import InvoiceCollectionEventRow, InvoiceCollectionRow
from models.payments.payment import PaymentRow
from repositories.billing import invoice

_STATE: TypeAdapter[Collection] = TypeAdapter(Collection)
Row = InvoiceCollectionRow
_FINAL = [status.value for status in FINAL]


def state_of(row: InvoiceCollectionRow) -> Collection:
    return _STATE.validate_python(row.state)


def standing_of(row: InvoiceRow) -> InvoiceDue:
    return InvoiceDue(
        status=InvoiceStatus(row.status),
        due_minor=invoice.balance_of(row).due_minor,
        paused_for=None if row.paused_for is None else PausedFor(row.paused_for),
        touched=bool(row.paid_minor or row.credited_minor),
    )


async def lock(session: AsyncSession, invoice_id: str) -> Collection | None:
    """Lock the row until the transaction ends, and return its state; None for a new one."""
    query = select(Row.state).where(Row.invoice_id == invoice_id).with_for_update()
    state = (await session.scalars(query)).one_or_none()
    return None if state is None else _STATE.validate_python(state)


async def has_done(session: AsyncSession, invoice_id: str, command_id: str) -> bool:
    """Return whether a command caused an event, however long ago that was."""
    row = InvoiceCollectionEventRow
    query = select(row.number).where(row.invoice_id == invoice_id, row.command_id == command_id)
    return (await session.scalars(query)).one_or_none() is not None


async def get(session: AsyncSession, invoice_id: str) -> InvoiceCollectionRow | None:
    return await session.get(Row, invoice_id, populate_existing=True)


async def timeline(session: AsyncSession, invoice_id: str) -> Sequence[InvoiceCollectionEventRow]:
    """Return the events of a collection in their order."""
    events = InvoiceCollectionEventRow
    query = select(events).where(events.invoice_id == invoice_id).order_by(events.number)
    return (await session.scalars(query)).all()


async def versions(session: AsyncSession, invoice_ids: Sequence[str]) -> dict[str, int]:
    query = select(Row.invoice_id, Row.version).where(Row.invoice_id.in_(invoice_ids))
    return {row.invoice_id: row.version for row in (await session.execute(query)).all()}


async def page(session: AsyncSession, *, after: str, limit: int) -> Sequence[InvoiceCollectionRow]:
    """Return up to `limit` collections that have not ended, by id, after the id `after`."""
    query = select(Row).where(Row.status.not_in(_FINAL), Row.invoice_id > after).order_by(Row.invoice_id)
    return (await session.scalars(query.limit(limit))).all()


async def waiting(session: AsyncSession, invoice_ids: Sequence[str]) -> Sequence[Collection]:
    query = select(Row.state).where(Row.invoice_id.in_(invoice_ids), Row.wake_at.is_not(None))
    return [_STATE.validate_python(state) for state in (await session.scalars(query)).all()]


async def stranded(
    session: AsyncSession, *, before: datetime, after: str, limit: int
) -> Sequence[tuple[InvoiceCollectionRow, bool]]:
    """Return collections that should have acted by a time, by id, after the id `after`, and whether to refresh them.

    A workflow has to refresh if its invoice has ended, was reopened or resumed, or its payment has ended, and its last
    event does not reflect that.
    """
    under_way = [status.value for status in UNDER_WAY]
    paused = func.coalesce(Row.state["paused_for"].astext, "")
    reasons = [reason.value for reason in PausedFor]
    is_open = InvoiceRow.status == InvoiceStatus.OPEN.value
    changed = and_(
        InvoiceRow.updated_at < before,
        Row.status.not_in(under_way),
        or_(
            and_(Row.status.not_in(_FINAL), InvoiceRow.status != InvoiceStatus.OPEN.value),
            and_(is_open, InvoiceRow.paused_for.is_not(None), paused != InvoiceRow.paused_for),
            and_(InvoiceRow.paused_for.is_(None), paused.in_(reasons)),
        ),
    )
    paid = and_(
        Row.status.in_(under_way),
        PaymentRow.updated_at < before,
        PaymentRow.status.not_in([status.value for status in AWAITING]),
    )
    looks = func.coalesce(or_(changed, paid), false())
    query = (
        select(Row, looks)
        .join(InvoiceRow, InvoiceRow.id == Row.invoice_id)
        .outerjoin(PaymentRow, PaymentRow.id == Row.state["payment_id"].astext)
        .where(
            Row.invoice_id > after,
            or_(Row.status.not_in(_FINAL), and_(is_open, InvoiceRow.paused_for.is_not(None))),
            or_(Row.wake_at < before, looks),
        )
        .order_by(Row.invoice_id)
    )
    return [(row, must_look) for row, must_look in (await session.execute(query.limit(limit))).all()]


async def write(session: AsyncSession, outcome: Transition, *, command_id: str, at: datetime) -> None:
    """Write one event and the state after it; the caller holds the row's lock, or the event is the first."""
    held = outcome.collection
    rests = held.status in FINAL or held.status is CollectionStatus.PAUSED
    changing = {
        "method": held.method.value,
        "status": held.status.value,
        "version": held.version,
        "wake_at": None if rests else held.next_at,
        "state": _STATE.dump_python(held, mode="json"),
        "updated_at": at,
    }
    if held.version == 1:
        fixed = {"invoice_id": held.invoice_id, "org_id": held.org_id, "created_at": at}
        await session.execute(insert(Row).values(**fixed, **changing))
    else:
        await session.execute(update(Row).where(Row.invoice_id == held.invoice_id).values(**changing))
    await session.execute(
        insert(InvoiceCollectionEventRow).values(
            invoice_id=held.invoice_id,
            number=held.version,
            kind=outcome.event,
            status=held.status.value,
            actor=outcome.actor,
            command_id=command_id,
            details=dict(outcome.details),
            at=at,
            recorded_at=func.clock_timestamp(),
        )
    )
